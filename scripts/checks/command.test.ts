import { describe, expect, it } from 'vitest';
import { runCommand } from './command.ts';

describe('runCommand', () => {
  it('collects what a program says', async () => {
    const result = await runCommand(['node', '-e', 'console.log(process.env.WHAT); console.error(2)'], { env: { WHAT: '1' } });
    expect(result).toMatchObject({ ok: true, stdout: '1\n', stderr: '2\n' });
  });

  it('tells a status that is not 0, a signal and a program that is not there', async () => {
    expect(await runCommand(['node', '-e', 'process.exit(3)'])).toMatchObject({ ok: false });
    expect(await runCommand(['node', '-e', "process.kill(process.pid, 'SIGKILL')"])).toMatchObject({
      ok: false,
      failure: 'ended by SIGKILL',
    });
    const missing = await runCommand(['no-such-program']);
    expect(missing.ok).toBe(false);
    expect(missing.failure).toContain('ENOENT');
  });

  it('ends a program and what it started when time is up', async () => {
    // The grandchild holds the pipe: only its end lets this resolve.
    const script = "require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })";
    const result = await runCommand(['node', '-e', script], { timeoutMs: 500 });
    expect(result).toMatchObject({ ok: false, failure: 'stopped after 1 s' });
  });
});
