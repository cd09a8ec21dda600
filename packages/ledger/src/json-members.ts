/**
 * Members of JSON objects from files that nobody trusts yet: each is read by its name and its type, and what is wrong
 * is said of it by its name. Members that nobody asks for are not looked at.
 */
import type { SentinelError } from '@sentineld/model/error';

/** Makes the error of a file from one sentence (without its full stop) about what is wrong with it. */
export type Refuse = (why: string) => SentinelError;

export type Members = {
  /** A whole number from `minimum` to 2^53 - 1. */
  readonly whole: (name: string, minimum?: number) => number;
  /** Text that UTF-8 can write. */
  readonly text: (name: string) => string;
  /** So many bytes in lower-case hex. */
  readonly hex: (name: string, bytes: number) => Uint8Array;
  readonly object: (name: string) => Members;
  readonly value: (name: string) => unknown;
};

const HEX = /^[0-9a-f]*$/;

/** Reads a JSON text. @throws what `refuse` makes, where it is none. */
export function parseJson(text: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse('it is not JSON; it was cut short or damaged');
  }
}

/** @throws what `refuse` makes, here for a value that is no object, later for a member that is missing or of another type. */
export function membersOf(value: unknown, where: string, refuse: Refuse): Members {
  if (!isObject(value)) throw refuse(`${where} is no JSON object`);
  const wrong = (name: string, expected: string): SentinelError =>
    refuse(Object.hasOwn(value, name) ? `\`${name}\` of ${where} is not ${expected}` : `${where} has no \`${name}\``);
  const memberOf = (name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined);
  return {
    whole: (name, minimum = 0) => {
      const number = memberOf(name);
      if (typeof number === 'number' && Number.isSafeInteger(number) && number >= minimum) return number;
      throw wrong(name, `a whole number from ${minimum} to 2^53 - 1`);
    },
    text: (name) => {
      const text = memberOf(name);
      if (typeof text === 'string' && text.isWellFormed()) return text;
      throw wrong(name, 'text');
    },
    hex: (name, bytes) => {
      const decoded = hexBytes(memberOf(name), bytes);
      if (decoded === null) throw wrong(name, `${bytes} bytes in lower-case hex`);
      return decoded;
    },
    object: (name) => {
      if (!Object.hasOwn(value, name)) throw wrong(name, 'an object');
      return membersOf(value[name], `\`${name}\` of ${where}`, refuse);
    },
    value: memberOf,
  };
}

/** So many bytes from lower-case hex, or null. */
export function hexBytes(text: unknown, bytes: number): Uint8Array | null {
  return typeof text === 'string' && text.length === 2 * bytes && HEX.test(text) ? Uint8Array.from(Buffer.from(text, 'hex')) : null;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members of a JSON text; none where it is no object. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
