import { describe, expect, it } from 'vitest';
import { startProgram } from '../lifecycle/fixtures/program.fixture.ts';
import { createLogger, silentLogger } from './logger.ts';

const SAY = new URL('fixtures/say.fixture.ts', import.meta.url);

describe('createLogger', () => {
  it.each([
    ['trace', ['trace', 'debug', 'info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
  ])('at level %s writes a line of JSON for each of %j, down to the last before an end', async (level, expected) => {
    const program = startProgram(SAY, [level]);
    const { status, stderr } = await program.ended;
    expect(status).toBe(0);
    const lines = stderr.trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.map((line) => line['level'])).toEqual(expected);
    for (const line of parsed) {
      expect(line).toMatchObject({ pid: program.pid, msg: `${String(line['level'])}.said`, text: 'a\u001b[2J\n"b"' });
      expect(new Date(String(line['time'])).toISOString()).toBe(line['time']);
    }
    // Its own component comes first on every line, and nothing raw of a host string is in the text.
    expect(lines.every((line) => line.startsWith('{"level":') && line.includes('"component":"procmond"') && !line.includes('\u001b'))).toBe(
      true,
    );
  });
});

describe('a level that is not written', () => {
  it('costs nothing but the call', () => {
    const log = createLogger('procmond', 'error');
    const fields = {
      get text(): string {
        throw new Error('was read');
      },
    };
    expect(() => log.info(fields, 'x')).not.toThrow();
  });
});

describe('silentLogger', () => {
  it('says nothing', () => {
    const log = silentLogger();
    expect(() => log.error({ a: 1 }, 'x')).not.toThrow();
  });
});
