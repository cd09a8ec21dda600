/**
 * Writes seccomp filters: classic BPF over struct seccomp_data, as seccomp(2) and the kernel's
 * Documentation/userspace-api/seccomp_filter.rst describe it. One rule per system call; what no rule names is allowed.
 */
import type { Arch } from './syscalls.ts';

/** Errno values of refused calls; the same on every architecture (asm-generic/errno.h). */
export const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
export type RefusalErrno = keyof typeof ERRNO;

export type Verdict = 'allow' | RefusalErrno;

/** Decides by the low 32 bits of one argument: the kernel takes every argument we test as a 32-bit integer. */
export type ArgumentRule = {
  /** 0 for the first argument. */
  readonly argument: number;
  /** Tried in order; the first that holds decides. */
  readonly cases: readonly ArgumentCase[];
  readonly otherwise: Verdict;
};

export type ArgumentCase = {
  /** 'equals': the argument is the value. 'has_any': it shares a bit with the value. */
  readonly test: 'equals' | 'has_any';
  readonly value: number;
  readonly then: Verdict;
};

export type Rule = Verdict | ArgumentRule;

export type FilterPlan = {
  readonly arch: Arch;
  /** By system call number. */
  readonly rules: ReadonlyMap<number, Rule>;
  /** Calls with a higher number get ENOSYS, as if the kernel were older than they are. */
  readonly newestKnownCall: number;
};

type Instruction = { readonly code: number; readonly ifTrue: number; readonly ifFalse: number; readonly k: number };

// linux/bpf_common.h, linux/seccomp.h, linux/audit.h.
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const JUMP_GREATER_OR_EQUAL = 0x35;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;
const RETURN_ALLOW = 0x7fff_0000;
const RETURN_ERRNO = 0x0005_0000;
const RETURN_KILL_PROCESS = 0x8000_0000;
const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Calls of the x32 ABI arrive on x64 with this bit, and would slip past rules for the plain numbers. */
const X32_BIT = 0x4000_0000;

const OFFSET_NUMBER = 0;
const OFFSET_ARCH = 4;
const OFFSET_ARGUMENTS = 16;
const INSTRUCTION_BYTES = 8;

/** A filter that allows everything: its use is that no_new_privs reaches every thread with it. */
export function allowEverything(): Uint8Array {
  return assemble([verdict('allow')]);
}

/**
 * A filter that refuses one call and looks at nothing else. It tells programs that the kernel lacks something and is
 * no wall: the same call of another ABI passes.
 */
export function refuseOnly(number: number): Uint8Array {
  return assemble([load(OFFSET_NUMBER), ...when(JUMP_EQUAL, number, [verdict('EPERM')]), verdict('allow')]);
}

/** The filter for a plan: an array of struct sock_filter, little-endian. */
export function buildFilter(plan: FilterPlan): Uint8Array {
  const rules = [...plan.rules];
  // Rules about arguments come first: the kernel caches the answer for the other calls and runs no filter for them.
  const ordered = [...rules.filter(([, rule]) => typeof rule !== 'string'), ...rules.filter(([, rule]) => typeof rule === 'string')];
  return assemble([
    load(OFFSET_ARCH),
    ...when(JUMP_EQUAL, AUDIT_ARCH[plan.arch], [load(OFFSET_NUMBER)], [done(RETURN_KILL_PROCESS)]),
    ...(plan.arch === 'x64' ? when(JUMP_GREATER_OR_EQUAL, X32_BIT, [done(RETURN_KILL_PROCESS)]) : []),
    ...when(JUMP_GREATER, plan.newestKnownCall, [verdict('ENOSYS')]),
    ...ordered.flatMap(([number, rule]) => when(JUMP_EQUAL, number, ruleBody(rule))),
    verdict('allow'),
  ]);
}

/** Every path through a rule returns, so the accumulator still holds the call's number where the next rule starts. */
function ruleBody(rule: Rule): Instruction[] {
  if (typeof rule === 'string') return [verdict(rule)];
  return [
    load(OFFSET_ARGUMENTS + 8 * rule.argument),
    ...rule.cases.flatMap((each) => when(each.test === 'equals' ? JUMP_EQUAL : JUMP_ANY_BIT, each.value, [verdict(each.then)])),
    verdict(rule.otherwise),
  ];
}

/**
 * The body runs where the accumulator passes the test. Without an alternative the rest follows where it fails; the
 * alternative must return, for the rest follows the body.
 */
function when(test: number, k: number, body: readonly Instruction[], alternative: readonly Instruction[] = []): Instruction[] {
  if (alternative.length === 0) return [{ code: test, ifTrue: 0, ifFalse: body.length, k }, ...body];
  return [{ code: test, ifTrue: alternative.length, ifFalse: 0, k }, ...alternative, ...body];
}

function load(offset: number): Instruction {
  return { code: LOAD_WORD, ifTrue: 0, ifFalse: 0, k: offset };
}

function done(k: number): Instruction {
  return { code: RETURN, ifTrue: 0, ifFalse: 0, k };
}

function verdict(given: Verdict): Instruction {
  return done(given === 'allow' ? RETURN_ALLOW : RETURN_ERRNO | ERRNO[given]);
}

function assemble(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  instructions.forEach((instruction, index) => {
    const start = index * INSTRUCTION_BYTES;
    if (instruction.ifTrue > 255 || instruction.ifFalse > 255) throw new RangeError('A filter jumps over 255 instructions at most');
    view.setUint16(start, instruction.code, true);
    view.setUint8(start + 2, instruction.ifTrue);
    view.setUint8(start + 3, instruction.ifFalse);
    view.setUint32(start + 4, instruction.k, true);
  });
  return bytes;
}
