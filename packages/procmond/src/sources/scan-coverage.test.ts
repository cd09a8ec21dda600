import type { ProcessRecord, Unseen } from '@sentineld/model/process';
import { describe, expect, it } from 'vitest';
import { newlyMet } from './known-process.ts';
import { coverageOf as coverageOfSeen } from './scan-coverage.ts';

function process(unseen: readonly Unseen[] = [], argv: readonly string[] | null = []): ProcessRecord {
  const one = newlyMet(1, 1, -1);
  one.image = { ...one.image, unseen, argv };
  return one;
}
const coverageOf = (processes: readonly ProcessRecord[], vanished: number, errors: number) =>
  coverageOfSeen({ processes, withheld: processes.filter(({ image }) => image.unseen.length > 0), vanished, errors });
const exe = (reason: string): Unseen => ({ field: 'exe', reason });
const argv: Unseen = { field: 'argv', reason: 'x' };

describe('coverageOf', () => {
  it('counts processes, and says in a sentence what was not seen', () => {
    const processes = [
      process(),
      process([], ['sh']),
      process([exe('EACCES')], ['sh']),
      process([exe('EACCES'), argv], null),
      process([exe('EPERM')]),
      process([argv], ['cut']),
    ];
    const coverage = coverageOf(processes, 3, 2);
    expect(coverage).toMatchObject({
      seen: 6,
      accessible: 2,
      exeUnreadable: 3,
      argvUnreadable: 1,
      argvTruncated: 1,
      vanished: 3,
      errors: 2,
    });
    expect(coverage.reason).toContain('the executable of 3 of 6 processes is withheld (EACCES, EPERM)');
    expect(coverage.reason).toContain(
      'the arguments of 1 processes are withheld; the arguments of 1 processes are cut; 2 processes could not be read',
    );
  });

  it('counts what else was withheld by what it is, and each process once', () => {
    const all: Unseen[] = (['exe', 'cwd', 'namespaces'] as const).map((field) => ({ field, reason: 'EACCES' }));
    const coverage = coverageOf([process(all), process(all), process(), process([{ field: 'cgroup', reason: 'trimmed' }])], 0, 0);
    expect(coverage).toMatchObject({ seen: 4, accessible: 1, exeUnreadable: 2, argvUnreadable: 0, argvTruncated: 0 });
    expect(coverage.reason).toContain(
      'the executable of 2 of 4 processes is withheld (EACCES, trimmed), the working directory of 2, the namespaces of 2, the control group of 1',
    );
    const one = coverageOf([process(all.slice(1, 2)), process()], 0, 0);
    expect(one).toMatchObject({ exeUnreadable: 0, accessible: 1 });
    expect(one.reason).toContain('the working directory of 1 of 2 processes is withheld (EACCES)');
  });

  it('has nothing to say where everything was seen; processes that went away are no gap', () => {
    const { reason, otherUsersHidden, accessible } = coverageOf([process(), process()], 7, 0);
    expect(accessible).toBe(2);
    expect(reason === null).toBe(!otherUsersHidden);
  });
});
