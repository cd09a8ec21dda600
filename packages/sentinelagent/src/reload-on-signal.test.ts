import type { RulesReloadReply } from '@sentineld/model/reply';
import { silentLogger } from '@sentineld/runtime/log/logger';
import { describe, expect, it, vi } from 'vitest';
import { reloadOnSignal } from './reload-on-signal.ts';

describe('reloadOnSignal', () => {
  it('loads rules anew for a signal, and once more for all that come meanwhile, also where it fails', async () => {
    const log = silentLogger();
    const failed = vi.spyOn(log, 'error').mockReturnValue();
    const asked: PromiseWithResolvers<RulesReloadReply>[] = [];
    const onSignal = reloadOnSignal(
      {
        reload: () => {
          const answer = Promise.withResolvers<RulesReloadReply>();
          asked.push(answer);
          return answer.promise;
        },
      },
      log,
    );
    for (let at = 0; at < 5; at++) onSignal();
    expect(asked).toHaveLength(1);
    asked[0]?.reject(new Error('agent.db is full'));
    await expect.poll(() => asked.length).toBe(2);
    expect(failed).toHaveBeenCalledExactlyOnceWith({ error: 'agent.db is full' }, 'rules.reload_failed');
    asked[1]?.reject(new Error('again'));
    await expect.poll(() => failed.mock.calls.length).toBe(2);
    onSignal();
    expect(asked).toHaveLength(3);
  });
});
