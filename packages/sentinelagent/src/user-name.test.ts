import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { userName } from './user-name.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-users-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('userName', () => {
  it('is the first name of a uid, cut where it is long', () => {
    const file = join(directory, 'passwd');
    writeFileSync(
      file,
      `root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:\nother:x:1000:1::/:\n:x:7:7::/:\n${'n'.repeat(99)}:x:9:9::/:\nbroken`,
    );
    expect([0, 1000, 7, 9, 5].map((uid) => userName(uid, file))).toEqual(['root', 'alice', null, 'n'.repeat(64), null]);
  });

  it('is null where the file cannot be read', () => {
    expect(userName(0, join(directory, 'none'))).toBeNull();
  });
});
