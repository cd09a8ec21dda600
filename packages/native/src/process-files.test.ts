import { spawn, execFileSync } from 'node:child_process';
import { closeSync, fstatSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';
import { NUMBER, NUMBERS, SECTION, WANT } from './process-files.ts';

const availability = loadNative();
const { ENOENT, ENOSYS } = constants.errno;
const EVERYTHING = Object.values(WANT).reduce((all, want) => all | want, 0);
const ARGUMENTS_ROOM = 65_536;

describe.runIf(availability.available)('readProcess', () => {
  let native: Native;
  let buffer: Buffer;
  let numbers: Float64Array;
  beforeEach(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
    buffer = Buffer.alloc(SECTION.cmdline + ARGUMENTS_ROOM);
    numbers = new Float64Array(NUMBERS).fill(Number.NaN);
  });

  const read = (wants: number, pid = process.pid): number => native.readProcess(pid, buffer, numbers, wants);
  const number = (place: number): number => numbers[place] ?? Number.NaN;
  const section = (name: keyof typeof SECTION): string =>
    buffer.toString('latin1', SECTION[name], SECTION[name] + Math.max(0, number(NUMBER[name])));
  const whole = (place: number): bigint => (BigInt(number(place)) << 32n) | BigInt(number(place + 1));

  it('puts every file where the table says', () => {
    const descriptor = read(EVERYTHING);
    const text = (name: string): string => readFileSync(`/proc/self/${name}`, 'latin1');
    expect(section('stat').split(' ').slice(0, 2)).toEqual(text('stat').split(' ').slice(0, 2));
    for (const name of ['loginuid', 'cgroup', 'cmdline'] as const) expect(section(name)).toBe(text(name));
    for (const name of ['exe', 'cwd'] as const) expect(section(name)).toBe(readlinkSync(`/proc/self/${name}`, 'latin1'));
    expect(readFileSync(descriptor, 'latin1').startsWith(`${process.pid} (`)).toBe(true);
    closeSync(descriptor);
    const { uid, gid } = statSync('/proc/self/');
    expect([...numbers.subarray(NUMBER.owner, NUMBER.gid + 1)]).toEqual([0, uid, gid]);
    const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
    expect([...numbers.subarray(NUMBER.namespaces)]).toEqual(kinds.map((kind) => statSync(`/proc/self/ns/${kind}`).ino));
  });

  it('tells the exact numbers of the executable', () => {
    read(WANT.exe);
    const status = statSync('/proc/self/exe', { bigint: true });
    expect([number(NUMBER.file), whole(NUMBER.device), whole(NUMBER.inode)]).toEqual([0, status.dev, status.ino]);
    expect([number(NUMBER.links), number(NUMBER.bytes)]).toEqual([Number(status.nlink), Number(status.size)]);
    const time = (place: number): bigint => BigInt(number(place)) * 1_000_000_000n + BigInt(number(place + 1));
    expect([time(NUMBER.mtimeSeconds), time(NUMBER.ctimeSeconds)]).toEqual([status.mtimeNs, status.ctimeNs]);
  });

  it('tells the real owner, by number or in status', () => {
    read(WANT.status);
    const own = [process.getuid?.(), process.getgid?.()];
    if (number(NUMBER.real) === 0) expect([number(NUMBER.realUid), number(NUMBER.realGid)]).toEqual(own);
    else expect(section('status')).toContain(`\nUid:\t${own[0]}\t`);
  });

  it('tells the effective owner alone and with the real one', () => {
    const own = [0, process.geteuid?.(), process.getegid?.()];
    for (const wants of [WANT.owner, WANT.owner | WANT.status, WANT.owner | WANT.status | WANT.cmdline]) {
      numbers.fill(Number.NaN);
      read(wants);
      expect([...numbers.subarray(NUMBER.owner, NUMBER.gid + 1)]).toEqual(own);
    }
    numbers.fill(Number.NaN);
    read(WANT.status | WANT.cmdline);
    expect([...numbers.subarray(NUMBER.owner, NUMBER.gid + 1)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    read(WANT.owner | WANT.status | WANT.cmdline, 1);
    const { uid, gid } = statSync('/proc/1');
    expect([number(NUMBER.uid), number(NUMBER.gid)]).toEqual([uid, gid]);
  });

  it('reads status where pidfd_open is refused', () => {
    const file = fileURLToPath(new URL(`../prebuilt/linux-${process.arch}.node`, import.meta.url));
    const child = fileURLToPath(new URL('fixtures/no-pidfd-child.ts', import.meta.url));
    const own = [String(process.getuid?.()), String(process.getgid?.())];
    const answers: unknown = JSON.parse(execFileSync(process.execPath, [child, file], { encoding: 'utf8' }));
    // The second time the kernel is not asked any more.
    expect(answers).toEqual([
      { real: -1, ids: own },
      { real: -ENOSYS, ids: own },
    ]);
  });

  it('leaves what is not wanted as it was, and no descriptor open', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    expect(read(WANT.cwd)).toBe(-1);
    expect([...numbers].filter((each) => !Number.isNaN(each))).toEqual([Buffer.byteLength(process.cwd())]);
    expect(buffer.subarray(SECTION.stat, SECTION.cwd).every((byte) => byte === 0)).toBe(true);
    expect(read(EVERYTHING & ~WANT.hold)).toBe(-1);
    expect(open()).toBe(before);
    const descriptor = read(WANT.stat | WANT.hold);
    expect([fstatSync(descriptor).isFile(), open()]).toEqual([true, before + 1]);
    closeSync(descriptor);
  });

  it('stops at the end of a section', () => {
    const short = Buffer.alloc(SECTION.cmdline + 4, 'x');
    native.readProcess(process.pid, short, numbers, WANT.cmdline);
    expect(number(NUMBER.cmdline)).toBe(4);
    expect(short.subarray(SECTION.cmdline)).toEqual(readFileSync('/proc/self/cmdline').subarray(0, 4));
    expect(short.subarray(0, SECTION.cmdline).every((byte) => byte === 120)).toBe(true);
  });

  it('says ENOENT in every number of a process that is gone', async () => {
    const child = spawn('true');
    await new Promise((resolve) => child.on('close', resolve));
    expect(read(EVERYTHING, child.pid)).toBe(-1);
    expect([...new Set(numbers)]).toEqual([-ENOENT]);
  });

  it.each([
    ['a fraction for a pid', () => native.readProcess(0.5, buffer, numbers, 1)],
    ['a negative pid', () => native.readProcess(-1, buffer, numbers, 1)],
    ['an unknown want', () => native.readProcess(1, buffer, numbers, EVERYTHING + 1)],
    ['too small a buffer', () => native.readProcess(1, buffer.subarray(0, SECTION.cmdline), numbers, 1)],
    ['too few numbers', () => native.readProcess(1, buffer, numbers.subarray(1), 1)],
    ['numbers of another kind', () => Reflect.apply(native.readProcess, null, [1, buffer, new Float32Array(NUMBERS), 1])],
  ])('refuses %s', (_name, call: () => unknown) => {
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});

describe.runIf(availability.available)('listProcesses', () => {
  it('lists the pids that /proc lists, and counts those for which there is no room', () => {
    if (!availability.available) throw new Error(availability.reason);
    const { listProcesses } = availability.native;
    const pids = new Int32Array(100_000);
    const count = listProcesses(pids);
    const listed = [...pids.subarray(0, count)];
    expect(listed).toEqual(expect.arrayContaining([1, process.pid, process.ppid]));
    expect(listed.every((pid, i) => pid > (listed[i - 1] ?? 0))).toBe(true);
    const few = new Int32Array(2);
    expect(listProcesses(few)).toBeGreaterThan(2);
    expect([...few]).toEqual(listed.slice(0, 2));
    expect(listProcesses(new Int32Array(0))).toBeGreaterThan(2);
    expect(() => Reflect.apply(listProcesses, null, [new Uint32Array(4)])).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
