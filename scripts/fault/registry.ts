/**
 * The faults there are. A new one is a file beside this one, and a line here.
 */
import { kill } from './kill.ts';
import type { Fault } from './rig/campaign.ts';

export const FAULTS: readonly Fault[] = [kill];
