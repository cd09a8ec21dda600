import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessImage } from '@sentineld/model/process';
import type { ScanCoverage } from '@sentineld/model/scan';
import { reachableBy } from '@sentineld/runtime/lifecycle/staging';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherCrew, type Crew, type Member } from './fixtures/crew.fixture.ts';

const SCAN_AS = fileURLToPath(new URL('fixtures/scan-as.fixture.ts', import.meta.url));
const NOBODY = 65_534;
const canBeNobody = process.getuid?.() === 0 && reachableBy(process.execPath, NOBODY, []) && reachableBy(dirname(SCAN_AS), NOBODY, []);
if (!canBeNobody)
  console.log('linux-proc-withheld.test.ts: not root, or a checkout that other users cannot read: nothing is scanned as nobody');

let crew: Crew;
beforeEach(() => {
  crew = gatherCrew();
});
afterEach(() => crew.close());

type Answer = { readonly image: ProcessImage | null; readonly coverage: ScanCoverage };

async function ask(scanner: Member, pid: number): Promise<Answer> {
  scanner.write(String(pid));
  return JSON.parse(await scanner.line()) as Answer;
}

async function scanner(): Promise<Member> {
  const member = crew.start(process.execPath, ['--conditions=sentineld-source', SCAN_AS], { uid: NOBODY, gid: NOBODY });
  expect(await member.line()).toBe('ready');
  return member;
}

describe.skipIf(!canBeNobody)('scanned by a user who may not trace it, a process (needs root)', () => {
  it('has everything but what it runs and where, and says why', async () => {
    const scan = await scanner();
    const member = crew.shell('echo up; read x');
    expect(await member.line()).toBe('up');
    const { image, coverage } = await ask(scan, member.pid);
    expect(image).toMatchObject({
      name: 'sh',
      exe: null,
      exeDeleted: false,
      userId: 0,
      userName: 'root',
      realUserId: 0,
      realGroupId: 0,
      cwd: null,
      namespaces: null,
      controlGroup: { path: expect.stringMatching(/^\//) },
      unseen: ['exe', 'cwd', 'namespaces'].map((field) => ({ field, reason: 'EACCES' })),
    });
    expect(image?.argv?.at(-1)).toBe(crew.directory);
    expect(coverage.exeUnreadable).toBeGreaterThan(0);
    expect(coverage.accessible).toBe(coverage.seen - coverage.exeUnreadable);
    expect(coverage.reason).toMatch(/is withheld \(EACCES\), the working directory of \d+, the namespaces of \d+/);
  });

  it('shows an exec though its name stays and its layout is withheld', async () => {
    const scan = await scanner();
    // A program of the same name: nothing of stat but sizes tells it from the shell.
    const impostor = crew.copyOfSleep('sh');
    const member = crew.shell(`echo up; read x; exec ${impostor} 1000`);
    expect(await member.line()).toBe('up');
    const before = (await ask(scan, member.pid)).image;
    member.write('go');
    await expect.poll(() => readFileSync(`/proc/${member.pid}/cmdline`, 'utf8')).toContain(impostor);
    // While its libraries are still being mapped it may for a moment be as large as the shell was.
    await expect.poll(async () => (await ask(scan, member.pid)).image).toMatchObject({ name: 'sh', argv: [impostor, '1000'] });
    expect(before?.name).toBe('sh');
  });
});
