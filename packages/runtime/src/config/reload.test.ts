import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, resolvedConfigEnvironment, type LoadOptions } from './load.ts';
import { reloadConfig } from './reload.ts';

const LIVE = new Set(['collection.interval', 'log.level']);
let directory = '';
let options: LoadOptions = {};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-reload-'));
  options = {
    systemFile: join(directory, 'system.yaml'),
    environment: { HOME: directory, SENTINELD_LOG__LEVEL: 'warn', OTHER: 'x' },
    assignments: ['detection.row_limit=7'],
  };
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (text: string): void => writeFileSync(join(directory, 'system.yaml'), text);

describe('configuration that is loaded again', () => {
  it('takes what may change, and says what needs a restart', () => {
    write('collection: {interval: 5s, argv_limit: 8KiB}\n');
    const running = loadConfig(options);
    write('collection: {interval: 7s, argv_limit: 16KiB}\n');
    const { loaded, applied, needsRestart } = reloadConfig(options, running, LIVE);
    expect([applied, needsRestart]).toEqual([['collection.interval'], ['collection.argv_limit']]);
    expect(loaded.config.collection).toMatchObject({ interval: 7000, argv_limit: 8192 });
    expect(loaded.config).toMatchObject({ log: { level: 'warn' }, detection: { row_limit: 7 } });
    expect(running.config.collection.interval).toBe(5000);
    // What waits for a restart is still said the next time.
    expect(reloadConfig(options, loaded, LIVE)).toMatchObject({ applied: [], needsRestart: ['collection.argv_limit'] });
  });

  it('is as it was where nothing changed, also after root was given up', () => {
    write('collection: {interval: 5s}\n');
    const asRoot = loadConfig(options);
    const running = loadConfig({ ...options, environment: resolvedConfigEnvironment(asRoot) });
    expect(running.environment).toEqual({ HOME: directory, SENTINELD_LOG__LEVEL: 'warn' });
    expect(reloadConfig(options, running, LIVE)).toMatchObject({ applied: [], needsRestart: [] });
    write('');
    expect(reloadConfig(options, running, LIVE)).toMatchObject({ applied: ['collection.interval'], needsRestart: [] });
  });

  it('changes nothing where it is wrong', () => {
    const running = loadConfig(options);
    write('collection: {interval: 1ms}\n');
    expect(() => reloadConfig(options, running, LIVE)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it("reads the user's file where it was read at the start, and only then", () => {
    const file = join(directory, '.config', 'sentineld', 'config.yaml');
    mkdirSync(join(file, '..'), { recursive: true });
    const without = loadConfig(options);
    writeFileSync(file, 'collection: {interval: 9s}\n');
    const withFile = loadConfig(options);
    writeFileSync(file, 'collection: {interval: 11s}\n');
    expect(reloadConfig(options, without, LIVE).applied).toEqual([]);
    expect(reloadConfig(options, withFile, LIVE).loaded.config.collection.interval).toBe(11_000);
  });
});
