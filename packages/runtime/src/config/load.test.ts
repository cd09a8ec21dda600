import fc from 'fast-check';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULTS } from './config.ts';
import { leafKeys, loadConfig, resolveConfig, resolvedConfigEnvironment, type LoadOptions } from './load.ts';

let directory = '';
let environment: Record<string, string> = {};
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-load-'));
  environment = { XDG_CONFIG_HOME: join(directory, 'config'), XDG_STATE_HOME: join(directory, 'state') };
});
afterEach(() => rmSync(directory, { recursive: true }));

const systemFile = (): string => join(directory, 'system.yaml');
const userFile = (): string => join(directory, 'config', 'sentineld', 'config.yaml');

function write(path: string, text: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const load = (options: LoadOptions = {}) => loadConfig({ systemFile: systemFile(), environment, ...options });

/** The error of loading one file with this text. */
function problem(text: string): unknown {
  try {
    load({ file: write(join(directory, 'given.yaml'), text) });
  } catch (thrown) {
    return thrown;
  }
  throw new Error('was accepted');
}

describe('the layers', () => {
  it('are the defaults where there is nothing else', () => {
    const loaded = load();
    expect(loaded.config).toEqual({ ...DEFAULTS, state_dir: loaded.config.state_dir });
    expect(loaded.config.state_dir.startsWith('/')).toBe(true);
    expect(loaded.files).toEqual([]);
    expect([...loaded.origins]).toEqual(leafKeys(DEFAULTS).map((key) => [key, 'default']));
  });

  it('win one over the other: defaults, system, user, --config, environment, --set', () => {
    const intervals: number[] = [];
    const origins: (string | undefined)[] = [];
    let options: LoadOptions = {};
    const look = (): void => {
      const loaded = load(options);
      intervals.push(loaded.config.collection.interval);
      origins.push(loaded.origins.get('collection.interval'));
    };
    look();
    write(systemFile(), 'collection: {interval: 1s}');
    look();
    write(userFile(), 'collection: {interval: 2s}');
    look();
    options = { file: write(join(directory, 'given.yaml'), '\n\ncollection:\n  interval: 3s\n') };
    look();
    environment = { ...environment, SENTINELD_COLLECTION__INTERVAL: '4s' };
    look();
    options = { ...options, assignments: ['collection.interval=5s'] };
    look();
    options = { ...options, assignments: ['collection.interval=5s', 'collection.interval=6s'] };
    look();
    expect(intervals).toEqual([30_000, 1000, 2000, 3000, 4000, 5000, 6000]);
    const given = join(directory, 'given.yaml');
    const set = '--set collection.interval';
    expect(origins).toEqual([
      'default',
      `${systemFile()}:1:14`,
      `${userFile()}:1:14`,
      `${given}:4:3`,
      'SENTINELD_COLLECTION__INTERVAL',
      set,
      set,
    ]);
    expect(load(options).files).toEqual([systemFile(), userFile(), given]);
  });

  it('are merged key by key, lists as a whole', () => {
    write(systemFile(), 'log: {level: debug}\ndetection: {rules_dirs: [/a, /b], row_limit: 5}\n');
    write(userFile(), 'detection: {rules_dirs: [/c]}\n');
    const { config, origins } = load();
    expect(config.log.level).toBe('debug');
    expect(config.detection).toEqual({ ...DEFAULTS.detection, rules_dirs: ['/c'], row_limit: 5 });
    expect(origins.get('detection.rules_dirs')).toBe(`${userFile()}:1:13`);
    expect(origins.get('detection.row_limit')).toBe(`${systemFile()}:2:35`);
    expect(DEFAULTS.detection.rules_dirs).toEqual([]);
  });

  it('read quantities with their units, and text with a leading zero or a hash as it is', () => {
    environment = {
      ...environment,
      SENTINELD_COLLECTION__ARGV_LIMIT: '64KiB',
      SENTINELD_DETECTION__ROW_LIMIT: '7',
      SENTINELD_COLLECTION__HASH: 'false',
    };
    const { config } = load({ assignments: ['alerting.dedup_window=1.5h', 'detection.disabled_rules=[a, b]', 'state_dir=/srv/a #1'] });
    expect(config.collection).toMatchObject({ argv_limit: 65_536, hash: false });
    expect(config.detection).toMatchObject({ row_limit: 7, disabled_rules: ['a', 'b'] });
    expect(config.alerting.dedup_window).toBe(5_400_000);
    expect(config.state_dir).toBe('/srv/a #1');
  });

  it('take an empty section and an empty file for nothing, without an origin of their own', () => {
    write(systemFile(), 'log:\nalerting: {}\n');
    write(userFile(), '# nothing yet\n');
    const { config, origins, files } = load();
    expect(config.log.level).toBe('info');
    expect([...origins.keys()]).toEqual(leafKeys(DEFAULTS));
    expect(files).toHaveLength(2);
  });

  it('pass over a home that is no directory, as services have', () => {
    environment = { HOME: '/dev/null' };
    expect(load({ assignments: ['state_dir=/x'] }).files).toEqual([]);
  });

  it('refuse a --config that is not there', () => {
    const file = join(directory, 'none.yaml');
    expect(() => load({ file })).toThrow(expect.objectContaining({ code: 'config.unreadable', message: `${file}: no such file` }));
  });

  it.skipIf(process.getuid?.() === 0)('refuse a file that may not be read (needs an unprivileged user)', () => {
    chmodSync(write(userFile(), 'log: {}'), 0o000);
    expect(() => load()).toThrow(expect.objectContaining({ code: 'config.unreadable' }));
  });
});

describe('an unknown key', () => {
  it('is named with its place and the key that was meant', () => {
    expect(problem('log:\n  levle: debug\n')).toMatchObject({
      code: 'config.invalid',
      message: `${join(directory, 'given.yaml')}:2:3: unknown key log.levle`,
      hint: 'did you mean log.level?',
    });
    environment = { ...environment, SENTINELD_LOG_LEVEL: 'debug' };
    expect(() => load()).toThrow(
      expect.objectContaining({ message: 'SENTINELD_LOG_LEVEL: unknown key log_level', hint: 'did you mean log.level?' }),
    );
    environment = {};
    const message = '--set colection.intervall: unknown key colection.intervall';
    expect(() => load({ assignments: ['colection.intervall=2s'] })).toThrow(
      expect.objectContaining({ message, hint: 'did you mean collection.interval?' }),
    );
  });

  it('is found by its last part where it lies in the wrong section', () => {
    expect(() => load({ assignments: ['agent.dedup_window=1s'] })).toThrow(
      expect.objectContaining({ hint: 'did you mean alerting.dedup_window?' }),
    );
  });

  it.each([
    'nonsense: 1',
    '__proto__: {level: debug}',
    'constructor: {prototype: 1}',
    'log: {level: {a: 1}}',
    '1: 2',
    '"": 1',
    '<<: {log: {level: debug}}',
  ])('%s', (text) => {
    expect(problem(text)).toMatchObject({ code: 'config.invalid', message: expect.stringContaining('unknown key'), exitStatus: 3 });
  });

  it('is not reached by a dotted name in a file', () => {
    expect(problem('log.level: debug')).toMatchObject({
      message: expect.stringMatching(/given\.yaml:1:1: log\.level is written as one key/),
    });
  });

  it('is not a section with a value', () => {
    expect(problem('log: debug')).toMatchObject({
      message: expect.stringMatching(/:1:1: log is a section, not a value$/),
      why: 'it holds log.level',
    });
    expect(problem('alerting: [1]')).toMatchObject({ message: expect.stringContaining('alerting is a section') });
  });
});

describe('a wrong value', () => {
  it.each([
    ['log: {level: loud}', 'log.level: not taken: it must be one of trace, debug, info, warn, error'],
    ['log: {level: }', 'log.level'],
    ['log: {level: {}}', 'log.level'],
    ['log: {level: 3}', 'log.level'],
    ['collection: {hash: "yes"}', 'collection.hash: not taken: it must be true or false'],
    ['collection: {interval: 2}', 'collection.interval: not taken: it must be a duration such as'],
    ['collection: {interval: 2000.5}', 'collection.interval: not taken: it must be a duration such as'],
    ['collection: {interval: .nan}', 'collection.interval: not taken: it must be a duration such as'],
    ['collection: {interval: [2s]}', 'collection.interval'],
    ['collection: {interval: 2 parsecs}', 'collection.interval: not taken: it must be a duration such as'],
    ['collection: {interval: 499ms}', 'collection.interval: not taken: it must be from 500ms to 1h'],
    ['collection: {interval: 2h}', 'collection.interval'],
    ['collection: {argv_limit: 65536}', 'collection.argv_limit: not taken: it must be a size such as'],
    ['collection: {argv_limit: 2s}', 'collection.argv_limit: not taken: it must be a size such as'],
    ['collection: {argv_limit: 1MiB}', 'collection.argv_limit: not taken: it must be from 4KiB to 128KiB'],
    ['detection: {row_limit: 0}', 'detection.row_limit: not taken: it must be a whole number from 1 to 100000'],
    ['detection: {row_limit: 1.5}', 'detection.row_limit'],
    ['detection: {row_limit: "5"}', 'detection.row_limit'],
    ['detection: {rules_dirs: /etc/rules}', 'detection.rules_dirs: not taken: it must be a list, for instance [a, b]'],
    ['detection: {rules_dirs: [etc]}', 'detection.rules_dirs: not taken: it must be an absolute path'],
    ['state_dir: here', 'state_dir: not taken: it must be an absolute path'],
    ['state_dir: {a: 1}', 'state_dir'],
    ['privileges: {agent_user: "root; rm"}', 'privileges.agent_user: not taken: it must be the name of a user'],
    ['detection: &d {rules_dirs: [*d]}', 'detection.rules_dirs'],
  ])('%s', (text, message) => {
    const thrown = problem(text);
    expect(thrown).toMatchObject({ code: 'config.invalid', message: expect.stringMatching(/given\.yaml:1:\d+: /) });
    expect(thrown instanceof SentinelError && `${thrown.message}: ${thrown.why}`).toContain(message);
  });

  it('is refused for want of a unit whatever a lower layer said', () => {
    write(systemFile(), 'collection: {interval: 2s}');
    for (const refused of [
      { assignments: ['collection.interval=60000'] },
      { file: write(join(directory, 'given.yaml'), 'collection: {interval: 60000}') },
    ]) {
      expect(() => load(refused)).toThrow(expect.objectContaining({ why: expect.stringContaining('must be a duration') }));
    }
  });

  it('that a higher layer replaces is not looked at', () => {
    write(systemFile(), 'collection: {interval: 1ms}');
    expect(load({ assignments: ['collection.interval=2s'] }).config.collection.interval).toBe(2000);
  });

  it('is told with all others', () => {
    const thrown = problem('log: {level: loud}\ncollection:\n  interval: 1ms\n');
    expect(thrown).toMatchObject({
      message: expect.stringMatching(/:1:7: log\.level: not taken$/),
      why: expect.stringMatching(
        /^it must be one of trace, debug, info, warn, error; also .*:3:3: collection\.interval must be from 500ms to 1h$/,
      ),
    });
  });
});

describe('the hash', () => {
  it('is the same for the same values, wherever and in whatever order they were written', () => {
    const file = write(join(directory, 'given.yaml'), 'detection: {row_limit: 5, deadline: 2s}\nlog: {level: debug}\n');
    const assignments = ['log.level=debug', 'detection.deadline=2000ms', 'detection.row_limit=5'];
    const [first, second] = [load({ file }), load({ assignments })];
    expect(first.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(second.hash).toBe(first.hash);
    expect(load({ assignments: assignments.slice(1) }).hash).not.toBe(first.hash);
  });
});

describe('a configuration that was loaded before root was given up', () => {
  it('is handed on as it was, whatever the files and flags say by now', () => {
    write(systemFile(), 'log: {level: debug}\ndetection: {rules_dirs: ["/a b", "/ü"]}\n');
    const before = load({ assignments: ['collection.interval=2s'] });
    rmSync(systemFile());
    environment = { ...resolvedConfigEnvironment(before), SENTINELD_LOG__LEVEL: 'error' };
    const after = load({ file: '/nonexistent', assignments: ['collection.interval=9s'] });
    expect(after).toEqual({ ...before, origins: expect.any(Map) });
    expect([...after.origins.keys()]).toEqual([...before.origins.keys()]);
  });

  it.each(['', '{', '{}', 'null', '{"config":{},"files":[]}', JSON.stringify({ config: { ...DEFAULTS, state_dir: 'here' }, files: [] })])(
    'is refused where it is none: %s',
    (text) => {
      environment = { SENTINELD_RESOLVED_CONFIG: text };
      expect(() => load()).toThrow(
        expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining('SENTINELD_RESOLVED_CONFIG') }),
      );
    },
  );
});

describe('resolveConfig', () => {
  it('throws nothing but config.invalid, whatever the settings are', () => {
    const path = fc.oneof(
      fc.constantFrom(...leafKeys(DEFAULTS)).map((key) => key.split('.')),
      fc.array(fc.string({ maxLength: 9 }), { minLength: 1, maxLength: 3 }),
    );
    const value = fc.oneof(fc.anything(), fc.constantFrom('2s', '64KiB', 5, true, '/x', null));
    fc.assert(
      fc.property(fc.array(fc.record({ path, value, where: fc.constant('here') }), { maxLength: 4 }), (settings) => {
        try {
          const { config, hash } = resolveConfig(settings, { HOME: '/nonexistent' });
          expect(leafKeys(config).length).toBeGreaterThanOrEqual(leafKeys(DEFAULTS).length);
          expect(hash).toHaveLength(64);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'config.invalid' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
