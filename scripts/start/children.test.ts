import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastWords } from './children.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-children-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function wordsOf(log: string) {
  const file = join(directory, 'procmond.log');
  writeFileSync(file, log);
  return lastWords(file, 'procmond');
}

describe('the last words of a daemon', () => {
  it('are the three lines that it ended with', () => {
    expect(wordsOf('{"msg":"started"}\nprocmond: /x is held\n  by pid 7\n  kill 7\n')).toEqual({
      why: '/x is held: by pid 7',
      hint: 'kill 7',
    });
  });

  it('are the error where Node gave up, not the version of Node below it', () => {
    const crash = "node:fs:1\n\nError: EACCES: permission denied, open '/x'\n    at open (node:fs:1)\n\nNode.js v24.21.0\n";
    expect(wordsOf(crash)).toEqual({ why: "Error: EACCES: permission denied, open '/x'", hint: null });
  });

  it('are its last line otherwise, also where there is none', () => {
    expect(wordsOf('{"msg":"one"}\n{"msg":"two"}\n')).toEqual({ why: '{"msg":"two"}', hint: null });
    expect(wordsOf('')).toEqual({ why: '', hint: null });
  });
});
