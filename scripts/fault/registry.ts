/**
 * The faults there are. A new one is a file beside this one, and a line here.
 */
import { clock } from './clock.ts';
import { diskFull } from './disk-full.ts';
import { executor } from './executor.ts';
import { kill } from './kill.ts';
import { newer } from './newer.ts';
import { peers } from './peers.ts';
import { race } from './race.ts';
import { readOnly } from './read-only.ts';
import { staleSocket } from './stale-socket.ts';
import { stop } from './stop.ts';
import { truncated } from './truncated.ts';
import type { Fault } from './rig/campaign.ts';

export const FAULTS: readonly Fault[] = [kill, diskFull, stop, clock, race, readOnly, newer, truncated, staleSocket, peers, executor];
