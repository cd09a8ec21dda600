/**
 * The faults there are. A new one is a file beside this one, and a line here.
 */
import { diskFull } from './disk-full.ts';
import { kill } from './kill.ts';
import { newer } from './newer.ts';
import { readOnly } from './read-only.ts';
import { staleSocket } from './stale-socket.ts';
import { truncated } from './truncated.ts';
import type { Fault } from './rig/campaign.ts';

export const FAULTS: readonly Fault[] = [kill, diskFull, readOnly, newer, truncated, staleSocket];
