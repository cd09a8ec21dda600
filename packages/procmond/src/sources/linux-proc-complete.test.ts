import { readFileSync, readlinkSync } from 'node:fs';
import { NAMESPACE_KINDS } from '@sentineld/model/process';
import { describe, expect, it } from 'vitest';
import { createTestSource, nativeCalls } from './fixtures/test-source.fixture.ts';
import type { ProcCalls } from './proc-files.ts';
import type { Redact } from './process-details.ts';
import { until, watchCrew } from './fixtures/watched-crew.fixture.ts';

const world = watchCrew();
const { find, see, sleeper } = world;

describe('what a scan says of who started a process and where it runs', () => {
  it('is what /proc says', async () => {
    const member = await sleeper();
    const link = (name: string): string => readlinkSync(`/proc/${member.pid}/${name}`);
    const { image, threads } = see(member);
    const namespaces = NAMESPACE_KINDS.map((kind) => [kind, Number(/\d+/.exec(link(`ns/${kind}`))?.[0])]);
    expect(image).toMatchObject({
      realUserId: process.getuid?.(),
      realGroupId: process.getgid?.(),
      cwd: link('cwd'),
      namespaces: Object.fromEntries(namespaces) as Record<string, number>,
    });
    expect(readFileSync(`/proc/${member.pid}/cgroup`, 'latin1')).toContain(`:${image.controlGroup?.path}\n`);
    const login = Number(readFileSync(`/proc/${member.pid}/loginuid`, 'latin1'));
    expect(image.loginUserId).toBe(login === 0xffff_ffff ? null : login);
    expect(threads).toBe(1);
  });

  it('is one object for those who share it', async () => {
    const [a, b] = [await sleeper(), await sleeper()];
    const [one, other] = [see(a).image, see(b).image];
    expect(one.controlGroup).toBe(other.controlGroup);
    expect(one.namespaces).toBe(other.namespaces);
  });

  it.skipIf(process.getuid?.() !== 0)('tells a real user from an effective one, and another namespace (needs root)', async ({ skip }) => {
    const perl = world.crew.start('perl', ['-e', '$| = 1; $< = 65534; print "up\\n"; <STDIN>']);
    if ((await perl.line().catch(() => null)) === null) return skip('no perl to change its real user with');
    expect(see(perl).image).toMatchObject({ userId: 0, realUserId: 65_534 });
    const own = see(process.pid).image.namespaces;
    const apart = world.crew.start('unshare', ['--uts', 'sh', '-c', 'echo up; read x']);
    if ((await apart.line().catch(() => null)) === null) return skip('no unshare(1), or not permitted');
    const { namespaces } = see(apart).image;
    expect(namespaces?.uts).not.toBe(own?.uts);
    expect({ ...namespaces, uts: own?.uts }).toEqual(own);
    return undefined;
  });

  it('counts threads anew in each scan that sees it work', async () => {
    const script = 'const { Worker } = require("node:worker_threads"); console.log("up"); process.stdin.once("data", () => new Worker("setInterval(() => {}, 1000)", { eval: true }).once("online", () => console.log("done")))'; // prettier-ignore
    const member = world.crew.start(process.execPath, ['-e', script]);
    expect(await member.line()).toBe('up');
    const before = see(member).threads ?? 0;
    member.write('go');
    expect(await member.line()).toBe('done');
    await until(() => see(member).threads).toBeGreaterThan(before);
  });
});

describe('secrets in arguments', () => {
  it('are taken out before anybody sees them, and counted', async () => {
    const redact: Redact = (argv) => {
      const kept = argv.map((argument) => argument.replace(/^--token=.*/, '--token=[gone]'));
      return { argv: kept, redacted: kept.filter((argument, i) => argument !== argv[i]).length };
    };
    const careful = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096, redact });
    const member = world.crew.start('/bin/sh', ['-c', 'echo up; read x', '--token=s3cret', '--token=other', '--name=x']);
    expect(await member.line()).toBe('up');
    const image = careful.scan().processes.find(({ pid }) => pid === member.pid)?.image;
    expect(image).toMatchObject({ redacted: 2 });
    expect(image?.argv?.slice(-3)).toEqual(['--token=[gone]', '--token=[gone]', '--name=x']);
    const others = careful.scan().processes.filter(({ pid }) => pid !== member.pid);
    expect(others.every(({ image: { redacted } }) => redacted === 0)).toBe(true);
    careful.close();
  });
});

describe('lookUp', () => {
  it('gives what the newest scan knows of a pid, and nothing of one that is gone', async () => {
    const member = await sleeper();
    expect(world.source.lookUp(member.pid)).toBe(see(member));
    expect(world.source.lookUp(4_194_305)).toBeNull();
    await member.end();
    expect(find(member.pid)).toBeUndefined();
    expect(world.source.lookUp(member.pid)).toBeNull();
  });
});

describe('notes', () => {
  it('say how many processes are not held, and nothing where all are; nobody is the less seen for it', () => {
    // Where others start many processes meanwhile, there is no room for all of them either.
    if (world.source.scan().processes.length <= 1024 - 256) expect(world.source.notes()).toEqual([]);
    const poor = createTestSource({ openFileLimit: 258, argvLimitBytes: 4096 });
    const { processes, coverage } = poor.scan();
    expect(poor.notes()).toEqual([`${processes.length - 2} processes are read without a held descriptor (limit of open files)`]);
    expect(coverage.accessible).toBe(processes.filter(({ image }) => image.unseen.length === 0).length);
    expect(coverage.reason ?? '').not.toContain('descriptor');
    poor.close();
  });

  it.skipIf(nativeCalls === null)('are gone when there is room again (needs the addon)', async () => {
    const [first, ...others] = [await sleeper(), await sleeper(), await sleeper()];
    let listed = [first, ...others].map((member) => member?.pid ?? 0);
    // Only these, so that nobody else takes the room.
    const listProcesses: ProcCalls['listProcesses'] = (pids) => {
      pids.set(listed);
      return listed.length;
    };
    const native = nativeCalls === null ? null : { ...nativeCalls, listProcesses };
    const poor = createTestSource({ openFileLimit: 258, argvLimitBytes: 4096, native });
    poor.scan();
    expect(poor.notes()).toHaveLength(1);
    listed = listed.slice(1);
    let scans = 0;
    for (; scans < 140 && poor.notes().length > 0; scans++) expect(poor.scan().processes).toHaveLength(2);
    expect(scans).toBeLessThanOrEqual(128);
    poor.close();
  });
});

describe('trim', () => {
  it('leaves out of new processes where they run, and says so', async () => {
    const known = await sleeper();
    const complete = see(known).image;
    world.source.trim(true);
    const member = await sleeper();
    const { image } = see(member);
    expect(image).toMatchObject({ argv: ['sleep', '1000'], exe: complete.exe, cwd: null, controlGroup: null, namespaces: null });
    expect(image.unseen).toEqual(['cwd', 'cgroup', 'namespaces'].map((field) => ({ field, reason: 'trimmed' })));
    for (let scan = 0; scan < 130; scan++) expect(see(member).image).toBe(image);
    expect(see(known).image).toBe(complete);
    expect(world.source.scan().coverage.reason).toContain('trimmed');
  });

  it('is made up for in turn when it is over', async () => {
    const known = await sleeper();
    const { cwd, controlGroup, namespaces } = see(known).image;
    world.source.trim(true);
    const member = await sleeper();
    expect(see(member).image.cwd).toBeNull();
    world.source.trim(false);
    let scans = 0;
    while (see(member).image.unseen.length > 0 && scans < 140) scans++;
    expect(scans).toBeLessThanOrEqual(128);
    expect(see(member).image).toMatchObject({ cwd, controlGroup, namespaces, unseen: [] });
  });
});
