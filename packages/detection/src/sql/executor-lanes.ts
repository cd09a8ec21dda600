/**
 * The executors of a spawner: one for what is quick, always warm, and one beside it for what may take long, which is there
 * only while it is needed. A statement that never ends holds up those of its own lane, and they know that of each other.
 */
import { ExecutorKeeper, type KeeperOptions } from './executor-keeper.ts';
import type { SpawnerRequest } from './protocol.ts';

export type Lanes = {
  readonly submit: (request: SpawnerRequest) => void;
  readonly close: () => void;
};

/** A host may be watched for months after one slow rule: an executor that nobody asks gives its memory back. */
const IDLE_MS = 90_000;

/** Starts the executor of the quick lane at once. */
export function createLanes(options: KeeperOptions, idleMs: number = IDLE_MS): Lanes {
  const quick = new ExecutorKeeper(options);
  let patient: ExecutorKeeper | undefined;
  let idle: NodeJS.Timeout | undefined;
  const endWhenIdle = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (patient?.isIdle() === false) return endWhenIdle();
      patient?.close();
      patient = undefined;
      return undefined;
    }, idleMs);
    // The program lives as long as its input.
    idle.unref();
  };
  return {
    submit: (request) => {
      if (request.lane === 'quick') return quick.submit(request);
      patient ??= new ExecutorKeeper(options);
      endWhenIdle();
      return patient.submit(request);
    },
    close: () => {
      clearTimeout(idle);
      quick.close();
      patient?.close();
    },
  };
}
