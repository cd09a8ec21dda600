/**
 * The faults there are. A new one is a file beside this one, and a line here.
 */
import { diskFull } from './disk-full.ts';
import { kill } from './kill.ts';
import type { Fault } from './rig/campaign.ts';

export const FAULTS: readonly Fault[] = [kill, diskFull];
