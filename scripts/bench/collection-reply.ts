/**
 * What benchmarks read of procmond's health about its collection.
 */
import { EVENT_TIERS } from '@sentineld/model/process-event';
import { z } from 'zod';

const count = z.int().min(0);

const Collection = z.object({
  events: z.object({
    tier: z.enum(EVENT_TIERS),
    reasons: z.array(z.string()),
    total: z.object({ execs: count, exits: count, lost: count, dropped: count, argvMissed: count, stored: count }),
    queued: count,
  }),
  budget: z.object({ level: count }),
});

export type CollectionReply = z.infer<typeof Collection>;

export function readCollection(health: unknown): CollectionReply {
  return z.object({ collection: Collection }).parse(health).collection;
}
