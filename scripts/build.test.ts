import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAMS_DIRECTORY } from './build.ts';

describe('the built programs', () => {
  it('are ASCII: with one other character V8 keeps two bytes for each of theirs', () => {
    const programs = readdirSync(PROGRAMS_DIRECTORY).filter((name) => name.endsWith('.js'));
    expect(programs).toContain('procmond.js');
    const others = programs.filter((name) => readFileSync(join(PROGRAMS_DIRECTORY, name)).some((byte) => byte > 0x7f));
    expect(others).toEqual([]);
  });
});
