import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../checks/finding.ts';

const run = (...given: readonly string[]) => {
  const program = ['--conditions=sentineld-source', join(REPOSITORY, 'scripts/fuzz.ts')];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...program, ...given], { encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('pnpm fuzz', () => {
  it('ends with one line that counts, and says where the corpora are absent', () => {
    const { status, stdout, stderr } = run('sql', '--seconds', '1', '--seed', '7', '--json', '--corpora', '/nonexistent');
    expect(stdout).toMatch(/^\{"fuzz":"sql","seed":7,"statements":\d+,"prepared":\d+,"accepted":\d+,"hidden":0,.*"corpus":"absent"\}\n$/);
    expect(stderr).toContain('the corpora are absent');
    expect(status).toBe(0);
  });

  it.each([
    [[], 'pnpm fuzz needs the name of what to try'],
    [['sq'], 'sql'],
    [['sql', '--seconds', '0'], '--seconds 0: not taken'],
    [['sql', '--second', '1'], '--seconds'],
    [['sql', '--seed', 'x'], '--seed x: not taken'],
  ])('refuses %j, with what to do', (given, text) => {
    const { status, stdout, stderr } = run(...given);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
  });
});
