/**
 * The faults there are. A new one is a file beside this one, and a line here.
 */
import { clock } from './clock.ts';
import { diskFullEvents } from './disk-full-events.ts';
import { diskFull } from './disk-full.ts';
import { eventsOnce } from './events-once.ts';
import { executor } from './executor.ts';
import { fsync } from './fsync.ts';
import { hidepid } from './hidepid.ts';
import { hostile } from './hostile.ts';
import { kill } from './kill.ts';
import { ledger } from './ledger.ts';
import { many } from './many.ts';
import { newer } from './newer.ts';
import { peers } from './peers.ts';
import { pidReuse } from './pid-reuse.ts';
import { powerLoss } from './power-loss.ts';
import { race } from './race.ts';
import { readOnly } from './read-only.ts';
import { reader } from './reader.ts';
import { spill } from './spill.ts';
import { staleSocket } from './stale-socket.ts';
import { stop } from './stop.ts';
import { storm } from './storm.ts';
import { truncated } from './truncated.ts';
import type { Fault } from './rig/campaign.ts';

export const FAULTS: readonly Fault[] = [
  kill,
  diskFull,
  stop,
  clock,
  race,
  readOnly,
  newer,
  truncated,
  staleSocket,
  peers,
  executor,
  hostile,
  pidReuse,
  hidepid,
  many,
  fsync,
  reader,
  storm,
  spill,
  diskFullEvents,
  eventsOnce,
  ledger,
  powerLoss,
];
