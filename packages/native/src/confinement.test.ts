import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildConfinement, type ConfinementProfile } from './confinement.ts';
import { AUDIT_ARCH, evaluateFilter } from './fixtures/evaluate-filter.ts';
import {
  ALWAYS_REFUSED,
  CHANGES_FILES,
  EXAMINED,
  NEWEST_KNOWN_CALL,
  numbersOf,
  STARTS_PROGRAMS,
  type Arch,
  type ExaminedCall,
} from './syscalls.ts';

const PID = 4321;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const TABLES = { EXAMINED, STARTS_PROGRAMS, CHANGES_FILES, ALWAYS_REFUSED };

const profiles: fc.Arbitrary<ConfinementProfile> = fc.record({
  socketFamilies: fc.constantFrom('none', 'unix', 'unix_and_ip'),
  exec: fc.boolean(),
  writeFiles: fc.boolean(),
  signalOthers: fc.boolean(),
});
const registers = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 6, maxLength: 6 });

type Outcome = ReturnType<typeof evaluateFilter>;

/** Asks the filter about one call by its number. */
function ask(profile: ConfinementProfile, arch: Arch, number: number, ...parameters: readonly (number | bigint)[]): Outcome {
  const filter = buildConfinement(profile, { arch, pid: PID });
  return evaluateFilter(filter, { auditArch: AUDIT_ARCH[arch], number, arguments: parameters.map(BigInt) });
}

function examined(profile: ConfinementProfile, arch: Arch, name: ExaminedCall, ...parameters: readonly (number | bigint)[]): Outcome {
  const number = EXAMINED[name][arch === 'x64' ? 0 : 1];
  return number === null ? 'allow' : ask(profile, arch, number, ...parameters);
}

describe.each(['x64', 'arm64'] as const)('a confinement on %s', (arch) => {
  const everyProfile = (check: (profile: ConfinementProfile) => void): void => fc.assert(fc.property(profiles, check), { numRuns: 60 });

  it('refuses the calls of its tables and allows all others, whatever their arguments', () => {
    fc.assert(
      fc.property(profiles, fc.nat({ max: NEWEST_KNOWN_CALL }), registers, (profile, number, values) => {
        fc.pre(!numbersOf(EXAMINED, arch).includes(number));
        const refused = [
          ...numbersOf(ALWAYS_REFUSED, arch),
          ...(profile.exec ? [] : numbersOf(STARTS_PROGRAMS, arch)),
          ...(profile.writeFiles ? [] : numbersOf(CHANGES_FILES, arch)),
        ];
        expect(ask(profile, arch, number, ...values)).toBe(refused.includes(number) ? EPERM : 'allow');
      }),
      { numRuns: 2000 },
    );
  });

  it('kills what calls by another ABI, and knows no calls newer than itself', () => {
    everyProfile((profile) => {
      const filter = buildConfinement(profile, { arch, pid: PID });
      for (const [name, auditArch] of Object.entries(AUDIT_ARCH)) {
        expect(evaluateFilter(filter, { auditArch, number: 0, arguments: [] })).toBe(name === arch ? 'allow' : 'kill');
      }
      expect(ask(profile, arch, NEWEST_KNOWN_CALL + 1)).toBe(ENOSYS);
      expect(ask(profile, arch, 0x3fff_ffff)).toBe(ENOSYS);
      expect(ask(profile, arch, 0x4000_0000)).toBe(arch === 'x64' ? 'kill' : ENOSYS);
      expect(ask(profile, arch, -1)).toBe(arch === 'x64' ? 'kill' : ENOSYS);
    });
  });

  it('allows the sockets of its families only', () => {
    const families = { none: [], unix: [1], unix_and_ip: [1, 2, 10] } as const;
    fc.assert(
      fc.property(profiles, fc.integer({ min: -1, max: 50 }), fc.constantFrom('socket', 'socketpair'), (profile, family, name) => {
        const allowed: readonly number[] = families[profile.socketFamilies];
        expect(examined(profile, arch, name, family)).toBe(allowed.includes(family) ? 'allow' : EAFNOSUPPORT);
        expect(examined(profile, arch, name, BigInt(family) + (7n << 32n))).toBe(allowed.includes(family) ? 'allow' : EAFNOSUPPORT);
      }),
      { numRuns: 300 },
    );
  });

  it('looks at the flags of open', () => {
    fc.assert(
      fc.property(profiles, fc.integer({ min: 0, max: 0xffff_ffff }), (profile, flags) => {
        const readsOnly = (flags & 0o3) === 0 && (flags & 0o100) === 0 && (flags & 0o1000) === 0;
        const expected = profile.writeFiles || readsOnly ? 'allow' : EPERM;
        expect(examined(profile, arch, 'openat', -100, 0, flags)).toBe(expected);
        if (arch === 'x64') expect(examined(profile, arch, 'open', 0, flags)).toBe(expected);
        expect(examined(profile, arch, 'openat2')).toBe(profile.writeFiles ? 'allow' : ENOSYS);
        expect(examined(profile, arch, 'bind')).toBe(profile.writeFiles ? 'allow' : EPERM);
      }),
      { numRuns: 300 },
    );
  });

  it('allows threads always, processes with exec, namespaces never', () => {
    const pthread = 0x003d_0f00;
    const fork = 0x0120_0011;
    const posixSpawn = 0x4111;
    everyProfile((profile) => {
      const processes = profile.exec ? 'allow' : EPERM;
      expect(examined(profile, arch, 'clone', pthread)).toBe('allow');
      expect(examined(profile, arch, 'clone', fork)).toBe(processes);
      expect(examined(profile, arch, 'clone', posixSpawn)).toBe(processes);
      expect(examined(profile, arch, 'clone3')).toBe(ENOSYS);
      for (const namespace of [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]) {
        expect(examined(profile, arch, 'clone', fork | namespace)).toBe(EPERM);
        expect(examined(profile, arch, 'clone', pthread | namespace)).toBe(EPERM);
      }
    });
  });

  it('lets signals and limits reach the process itself only', () => {
    fc.assert(
      fc.property(profiles, fc.oneof(fc.constantFrom(PID, -PID, 0, -1, 1, PID + 1), fc.integer()), (profile, pid) => {
        const others = profile.signalOthers ? 'allow' : EPERM;
        for (const name of ['kill', 'tkill', 'tgkill', 'rt_sigqueueinfo', 'rt_tgsigqueueinfo'] as const) {
          expect(examined(profile, arch, name, pid, 9)).toBe(pid === PID ? 'allow' : others);
        }
        expect(examined(profile, arch, 'prlimit64', pid)).toBe(pid === PID || pid === 0 ? 'allow' : others);
        expect(examined(profile, arch, 'pidfd_send_signal', pid)).toBe(others);
      }),
      { numRuns: 200 },
    );
    everyProfile((profile) => {
      const owner = profile.signalOthers ? 'allow' : EPERM;
      for (const command of [8, 10, 15]) expect(examined(profile, arch, 'fcntl', 3, command)).toBe(owner);
      for (const command of [1, 2, 3, 4, 5, 6, 7, 9, 11, 36, 37, 38, 1030])
        expect(examined(profile, arch, 'fcntl', 3, command)).toBe('allow');
    });
  });

  it('keeps terminals, file flags and signal owners from ioctl', () => {
    everyProfile((profile) => {
      for (const request of [0x5412, 0x541c]) expect(examined(profile, arch, 'ioctl', 0, request)).toBe(EPERM);
      for (const request of [0x5401, 0x5402, 0x5413, 0x5421, 0x5451]) expect(examined(profile, arch, 'ioctl', 0, request)).toBe('allow');
      for (const request of [0x4008_6602, 0x401c_5820])
        expect(examined(profile, arch, 'ioctl', 0, request)).toBe(profile.writeFiles ? 'allow' : EPERM);
      for (const request of [0x8901, 0x8902])
        expect(examined(profile, arch, 'ioctl', 0, request)).toBe(profile.signalOthers ? 'allow' : EPERM);
    });
  });

  it.runIf(existsSync(headerOf(arch)))('has the numbers of the installed headers', () => {
    const header = readFileSync(headerOf(arch), 'utf8');
    const known = new Map([...header.matchAll(/^#define __NR(?:3264)?_(\w+) (\d+)$/gm)].map((match) => [match[1], Number(match[2])]));
    const ours = Object.values(TABLES).flatMap((table) => Object.entries(table));
    const compared = ours.filter(([name]) => known.has(name));
    for (const [name, numbers] of compared) expect([name, numbers[arch === 'x64' ? 0 : 1]]).toEqual([name, known.get(name)]);
    expect(compared.length).toBeGreaterThan(60);
  });
});

/** Where Debian's linux-libc-dev has the table; arm64 uses the generic one. */
function headerOf(arch: Arch): string {
  return arch === 'x64' ? '/usr/include/x86_64-linux-gnu/asm/unistd_64.h' : '/usr/include/asm-generic/unistd.h';
}
