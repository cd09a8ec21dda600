import { closeSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { NUMBER, NUMBERS, SECTION, WANT } from '@sentineld/native/process-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherCrew, type Crew } from './fixtures/crew.fixture.ts';
import { nativeCalls } from './fixtures/test-source.fixture.ts';
import { createProcFiles, isNothing, type ProcFiles } from './proc-files.ts';
import { realOwnerOf } from './process-details.ts';

const EVERYTHING = Object.values(WANT).reduce((all, want) => all | want, 0) & ~WANT.hold;
const SECTIONS = ['status', 'loginuid', 'cgroup', 'exe', 'cwd', 'cmdline'] as const;
if (nativeCalls === null) console.log('proc-files.test.ts: no addon here: the two ways of reading are not held against each other');

let crew: Crew;
beforeEach(() => {
  crew = gatherCrew();
});
afterEach(() => crew.close());

/** All that was read of a process but what runs on by itself: numbers by place, bytes by section. */
function contentOf(files: ProcFiles, pid: number): Readonly<Record<string, unknown>> {
  files.numbers.fill(0);
  expect(files.read(pid, EVERYTHING)).toBe(-1);
  const { numbers, buffer } = files;
  const told = Object.entries(NUMBER).filter(([name]) => !['stat', 'status', 'real', 'realUid', 'realGid'].includes(name));
  const bytes = SECTIONS.filter((name) => name !== 'status').map((name) => [
    `bytes of ${name}`,
    buffer.toString('latin1', SECTION[name], SECTION[name] + Math.max(0, numbers[NUMBER[name]] ?? 0)),
  ]);
  return {
    ...Object.fromEntries(told.map(([name, place]) => [name, numbers[place]])),
    halves: [...numbers.subarray(NUMBER.file + 1)],
    realOwner: realOwnerOf(files),
    name: /\((.*)\)/s.exec(buffer.toString('latin1', 0, numbers[NUMBER.stat]))?.[1]?.replace(/^(kworker\/u?\d+:\d+H?)[-+].*$/, '$1'),
    ...Object.fromEntries(bytes),
  };
}

describe.skipIf(nativeCalls === null)('the addon and plain Node (needs the addon)', () => {
  it('read the same of every living process', async () => {
    crew.start('sleep', [`${'0'.repeat(20_000)}1000`]);
    crew.start(crew.copyOfSleep('bäd\nname'), ['1000'], { argv0: '\u001b[2J' });
    if (process.getuid?.() === 0) crew.start('sleep', ['1000'], { uid: 65_534, gid: 65_533 });
    const [ours, plain] = [createProcFiles(4096, nativeCalls), createProcFiles(4096, null)];
    let alike = 0;
    for (const pid of plain.list()) {
      const before = contentOf(plain, pid);
      const seen = contentOf(ours, pid);
      // Whoever called exec or ended meanwhile is no case.
      const isSteady = JSON.stringify(contentOf(plain, pid)) === JSON.stringify(before);
      if (!isSteady || isNothing(plain.numbers[NUMBER.stat] ?? 0)) continue;
      expect({ pid, ...seen }).toEqual({ pid, ...before });
      alike++;
    }
    expect(alike).toBeGreaterThan(4);
  });

  it('list the same processes', async () => {
    const pids = Array.from({ length: 20 }, () => crew.start('sleep', ['1000']).pid);
    const [ours, plain] = [createProcFiles(0, nativeCalls), createProcFiles(0, null)];
    for (const files of [ours, plain]) {
      const listed = [...files.list()];
      expect(listed).toEqual(listed.toSorted((a, b) => a - b));
      expect(listed).toEqual(expect.arrayContaining([1, process.pid, ...pids]));
      expect(new Set(listed).size).toBe(listed.length);
    }
  });
});

describe.each([
  ['the addon', nativeCalls],
  ['plain Node', null],
])('createProcFiles with %s', (name, native) => {
  const skipped = name === 'the addon' && native === null;
  const files = createProcFiles(8, skipped ? null : native);

  it.skipIf(skipped)('lists more processes than it had room for', () => {
    let asked = 0;
    const many = createProcFiles(0, {
      readProcess: () => -1,
      listProcesses: (pids) => {
        asked++;
        pids.set(Array.from({ length: Math.min(3000, pids.length) }, (_, i) => i + 1));
        return 3000;
      },
    });
    expect([...many.list()]).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
    expect([many.list().length, asked]).toEqual([3000, 3]);
  });

  it.skipIf(skipped)('holds stat where it is told to, and nothing else stays open', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    const descriptor = files.read(process.pid, EVERYTHING | WANT.hold);
    expect([descriptor >= 0, open()]).toEqual([true, before + 1]);
    expect(readFileSync(descriptor, 'latin1')).toMatch(new RegExp(`^${process.pid} \\(`));
    closeSync(descriptor);
    expect([files.read(process.pid, EVERYTHING), open()]).toEqual([-1, before]);
  });

  it.skipIf(skipped)('reads what is wanted and leaves the rest as it was', () => {
    files.numbers.fill(-77);
    files.buffer.fill('x');
    expect(files.read(process.pid, WANT.owner | WANT.cwd)).toBe(-1);
    const cwd = process.cwd();
    expect(files.numbers[NUMBER.cwd]).toBe(Buffer.byteLength(cwd));
    expect(files.buffer.toString('utf8', SECTION.cwd, SECTION.cwd + Buffer.byteLength(cwd))).toBe(cwd);
    const { uid, gid } = statSync(`/proc/${process.pid}`);
    expect([...files.numbers.subarray(NUMBER.owner, NUMBER.gid + 1)]).toEqual([0, uid, gid]);
    for (const other of ['stat', 'loginuid', 'cgroup', 'exe', 'cmdline', 'file', 'namespaces'] as const) {
      expect(files.numbers[NUMBER[other]]).toBe(-77);
    }
    for (const other of ['stat', 'cgroup', 'exe', 'cmdline'] as const) expect(files.buffer[SECTION[other]]).toBe(120);
  });

  it.skipIf(skipped)('reads no more arguments than there is room for', () => {
    files.read(process.pid, WANT.cmdline);
    expect(files.numbers[NUMBER.cmdline]).toBe(9);
  });

  it.skipIf(skipped)('says of a process that is gone that nothing is there', async () => {
    const member = crew.start('true');
    await member.end();
    expect(files.read(member.pid, EVERYTHING | WANT.hold)).toBe(-1);
    expect([...files.numbers].filter((number) => !isNothing(number))).toEqual([]);
    expect(files.numbers).toHaveLength(NUMBERS);
    files.numbers.fill(0);
    files.read(member.pid, WANT.owner | WANT.exe | WANT.status);
    expect([NUMBER.owner, NUMBER.exe, NUMBER.status].map((place) => files.numbers[place])).toEqual(Array(3).fill(-constants.errno.ENOENT));
  });

  it.skipIf(skipped)('reads the namespaces and the file that links say', () => {
    files.read(process.pid, WANT.namespaces | WANT.exe);
    const { numbers } = files;
    const inode = (kind: string): number => statSync(`/proc/self/ns/${kind}`).ino;
    expect([...numbers.subarray(NUMBER.namespaces)]).toEqual(['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'].map(inode));
    const status = statSync('/proc/self/exe', { bigint: true });
    const whole = (place: number): bigint => (BigInt(numbers[place] ?? 0) << 32n) | BigInt(numbers[place + 1] ?? 0);
    expect([whole(NUMBER.device), whole(NUMBER.inode)]).toEqual([status.dev, status.ino]);
    const time = (place: number): bigint => BigInt(numbers[place] ?? 0) * 1_000_000_000n + BigInt(numbers[place + 1] ?? 0);
    expect([time(NUMBER.mtimeSeconds), time(NUMBER.ctimeSeconds)]).toEqual([status.mtimeNs, status.ctimeNs]);
    expect([numbers[NUMBER.links], numbers[NUMBER.bytes]]).toEqual([Number(status.nlink), Number(status.size)]);
  });
});
