import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '@sentineld/runtime/version';
import { createInstallation, type Installation } from './fixtures/installation.ts';
import { runProgram } from './program.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

describe('runProgram', () => {
  it('prints its version and help without reading anything', async () => {
    expect(await installation.run(['--version'])).toEqual({ status: 0, out: `${VERSION}\n`, err: '' });
    const help = await installation.run(['query', '--help']);
    expect([help.status, help.err]).toEqual([0, '']);
    expect(help.out).toMatch(/^sentinelcli query <SQL> \[options\]\n/);
    expect((await installation.run([])).out).toMatch(/^sentinelcli <command> \[options\]\n/);
    expect((await installation.run(['rules', '--help'])).out).toContain('rules validate');
  });

  it('ends with the status of the kind of error', async () => {
    expect(await installation.run(['helth'])).toEqual({
      status: 2,
      out: '',
      err: 'sentinelcli: unknown command "helth"\n  there are health, alerts, query, tree, export, rules, audit, config, completion\n  did you mean "sentinelcli health"?\n',
    });
    expect(await installation.run(['config', 'show', '--set', 'nonsense=1'])).toMatchObject({ status: 3, out: '' });
    expect(await installation.run(['config', 'show', '--config', '/nowhere'])).toMatchObject({ status: 3, out: '' });
    expect(await installation.run(['alerts', 'list'])).toMatchObject({ status: 4, out: '' });
  });

  it('tells errors as JSON where JSON was asked for', async () => {
    const { status, out, err } = await installation.run(['helth', '--json']);
    expect([status, out]).toEqual([2, '']);
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'usage.invalid',
        message: 'unknown command "helth"',
        why: expect.stringMatching(/^there are health, /),
        hint: 'did you mean "sentinelcli health"?',
      },
    });
  });

  it('calls what is no error of ours a bug', async () => {
    const streams = {
      stdout: {
        write: () => {
          throw new Error('boom');
        },
        on: () => undefined,
      },
      environment: {},
    };
    let err = '';
    const stderr = { write: (text: string) => (err += text), on: () => undefined };
    expect(await runProgram(['--version'], { ...streams, stderr })).toBe(70);
    expect(err).toContain('this is a bug: boom');
  });

  it('answers the completion script', async () => {
    let out = '';
    const stdout = { write: (text: string) => (out += text), on: () => undefined };
    const stderr = { write: () => true, on: () => undefined };
    expect(await runProgram(['--complete', 'alerts', ''], { stdout, stderr, environment: {} })).toBe(0);
    expect(out).toBe('list\nshow\nwhy\ntail\nack\nsuppress\nsuppressions\nunsuppress\n');
    expect((await installation.run(['completion'])).out).toContain('sentinelcli --complete "${COMP_WORDS[@]:1:COMP_CWORD}"');
  });

  it('takes a state directory relative to where it is called', async () => {
    const { out } = await installation.run(['config', 'show', '--json', '--state-dir', 'some: dir']);
    // The fixture's own --state-dir comes first, and the last one wins.
    expect(JSON.parse(out)).toMatchObject({ settings: { state_dir: { value: resolve('some: dir') } } });
  });
});
