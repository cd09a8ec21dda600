import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);

describe('config', () => {
  it('shows every key with its value as a file would have it, and where it came from', async () => {
    const file = join(installation.paths.root, 'own.yaml');
    writeFileSync(file, 'collection:\n  interval: 2m\n');
    const { out } = await installation.run(['config', 'show', '--config', file, '--set', 'detection.memory=32MiB'], {
      environment: { SENTINELD_LOG__LEVEL: 'debug' },
    });
    expect(out).toMatch(/collection\.interval +2m +.*own\.yaml:2:3/);
    expect(out).toMatch(/detection\.memory +32MiB +--set detection\.memory/);
    expect(out).toMatch(/log\.level +debug +SENTINELD_LOG__LEVEL/);
    expect(out).toMatch(/detection\.row_limit +1000 +default/);
    const shown = json((await installation.run(['config', 'show', '--json'])).out);
    expect(shown).toMatchObject({ settings: { 'collection.interval': { value: 30_000, written: '30s', origin: 'default' } } });
  });

  it('validates one file by itself', async () => {
    const file = join(installation.paths.root, 'new.yaml');
    writeFileSync(file, 'log:\n  level: info\n');
    expect(await installation.run(['config', 'validate', file], { environment: { SENTINELD_NONSENSE: '1' } })).toMatchObject({
      status: 0,
      out: `ok: ${file}\n`,
    });
    writeFileSync(file, 'log:\n  levl: info\n');
    const { status, err } = await installation.run(['config', 'validate', file]);
    expect(status).toBe(3);
    expect(err).toContain(`${file}:2:3: unknown key log.levl`);
    expect(err).toContain('did you mean log.level?');
    expect(await installation.run(['config', 'validate', '/nowhere.yaml'])).toMatchObject({ status: 3 });
    expect(await installation.run(['config', 'validate'])).toMatchObject({ status: 0, out: 'ok: defaults, no file\n' });
    expect(json((await installation.run(['config', 'validate', '--json'])).out)).toMatchObject({ ok: true, files: [] });
  });
});
