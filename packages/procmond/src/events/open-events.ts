/**
 * Opens the best source of process events that may be had, while there are rights for it, and hands it to the program
 * that goes on without them: descriptors stay open through exec, and one variable says which they are.
 */
import { closeSync, readlinkSync } from 'node:fs';
import { errnoOf, messageOf, SentinelError } from '@sentineld/model/error';
import { EVENT_TIERS, type EventTier } from '@sentineld/model/process-event';
import { loadNative, type Native, type NativeAvailability } from '@sentineld/native/addon';
import type { ProcessEventSource } from './event-source.ts';
import { createKernelEvents, RECEIVE_BUFFER_BYTES } from './kernel-events.ts';
import { createTraceEvents } from './trace-events.ts';
import { attachTraceInstance, openTraceInstance } from './trace-instance.ts';

export type OpenedEvents = {
  readonly tier: EventTier;
  /** Open, and kept open through exec. */
  readonly descriptors: readonly number[];
  /** Why the better tiers were not available, one sentence each. */
  readonly reasons: readonly string[];
};

/** Set by the program that opened the events for the one that replaces it. */
export const EVENTS_VARIABLE = 'SENTINELD_EVENT_DESCRIPTORS';
const DESCRIPTORS_MOST = 4096;
const VARIABLE_CHARACTERS_MOST = 65_536;

export type OpenOptions = {
  readonly availability?: NativeAvailability;
  /** Where the trace file system may be mounted. */
  readonly traceRoots?: readonly string[];
};

type Attempt = { readonly descriptors: readonly number[] } | { readonly reason: string };

/**
 * Opens what is wanted; under 'auto' the best there is, 'off' where there is nothing. Waits half a second at most.
 * Throws 'native.unavailable' or 'privilege.refused' where the one tier that is wanted cannot be had.
 */
export function openEvents(wanted: 'auto' | EventTier, options: OpenOptions = {}): OpenedEvents {
  if (wanted === 'off') return { tier: 'off', descriptors: [], reasons: [] };
  const availability = options.availability ?? loadNative();
  if (!availability.available) {
    const reason = `events need the native addon: ${availability.reason}`;
    if (wanted === 'auto') return { tier: 'off', descriptors: [], reasons: [reason] };
    throw new SentinelError('native.unavailable', { message: `collection.events is ${wanted}, and ${reason}` });
  }
  const { native } = availability;
  const reasons: string[] = [];
  for (const tier of wanted === 'auto' ? (['kernel', 'trace'] as const) : [wanted]) {
    const attempt = tier === 'kernel' ? openConnector(native) : openTrace(native, options.traceRoots);
    if ('descriptors' in attempt) return { tier, descriptors: attempt.descriptors, reasons };
    reasons.push(attempt.reason);
  }
  if (wanted === 'auto') return { tier: 'off', descriptors: [], reasons };
  throw new SentinelError('privilege.refused', {
    message: `collection.events is ${wanted}, and that cannot be had`,
    why: reasons.join('; '),
    hint: 'set collection.events to auto for the best there is, or start as root on the host itself',
  });
}

function openConnector(native: Native): Attempt {
  try {
    return { descriptors: [native.openProcessEvents(RECEIVE_BUFFER_BYTES).fd] };
  } catch (cause) {
    const known = REASON_BY_ERRNO[errnoOf(cause) ?? ''];
    return { reason: `the kernel's process connector: ${known ?? messageOf(cause)}` };
  }
}

const REASON_BY_ERRNO: Readonly<Record<string, string>> = {
  EPROTONOSUPPORT: 'this kernel has none (CONFIG_CONNECTOR, CONFIG_PROC_EVENTS)',
  EPERM: 'on this kernel root alone may listen (Linux 6.6 and newer let everybody)',
  EACCES: 'this user may not listen',
  ECONNREFUSED: 'it does not reach into a network namespace; run on the host itself, or in its network namespace',
  ETIMEDOUT: 'the kernel did not answer; it has none (CONFIG_PROC_EVENTS), or this is a pid or user namespace, where it tells nothing',
};

function openTrace(native: Native, roots: readonly string[] | undefined): Attempt {
  const opened = openTraceInstance(roots);
  if ('descriptors' in opened) for (const descriptor of opened.descriptors) native.keepAcrossExec(descriptor);
  return opened;
}

/** What the program that replaces this one must have in its environment. */
export function eventsEnvironment(opened: OpenedEvents): Readonly<Record<string, string>> {
  return { [EVENTS_VARIABLE]: JSON.stringify(opened) };
}

/**
 * What was opened by the program before this one; null where it said nothing. Throws 'privilege.refused' where it is
 * not what it should be: a number that came from elsewhere must not be read from.
 */
export function inheritedEvents(environment: Readonly<Record<string, string | undefined>>): OpenedEvents | null {
  const text = environment[EVENTS_VARIABLE];
  if (text === undefined) return null;
  const opened = text.length > VARIABLE_CHARACTERS_MOST ? null : parseOpened(text);
  if (opened === null) throw refused('it is not what procmond writes there');
  if (opened.tier === 'kernel') for (const descriptor of opened.descriptors) expectSocket(descriptor);
  if (opened.tier === 'trace') attachTraceInstance(opened.descriptors);
  return opened;
}

function parseOpened(text: string): OpenedEvents | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!hasExactly(value, 'descriptors', 'reasons', 'tier')) return null;
  const { tier, descriptors, reasons } = value;
  const known = EVENT_TIERS.find((each) => each === tier);
  if (known === undefined || !isListOf(descriptors, isDescriptor) || !isListOf(reasons, isText)) return null;
  if (new Set(descriptors).size !== descriptors.length) return null;
  const fits = known === 'kernel' ? descriptors.length === 1 : known === 'trace' || descriptors.length === 0;
  return fits ? { tier: known, descriptors, reasons } : null;
}

function hasExactly<Key extends string>(value: unknown, ...keys: readonly Key[]): value is Readonly<Record<Key, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

function isListOf<Item>(value: unknown, is: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.length <= DESCRIPTORS_MOST && value.every(is);
}

function isDescriptor(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 2 && value < 2 ** 20;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** That it is a socket of the connector is checked where it is listened to. */
function expectSocket(descriptor: number): void {
  let link: string;
  try {
    link = readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch (cause) {
    throw refused(`descriptor ${descriptor} is not open: ${messageOf(cause)}`);
  }
  if (!/^socket:\[\d+\]$/.test(link)) throw refused(`descriptor ${descriptor} is ${link} and no socket`);
}

function refused(what: string): SentinelError {
  return new SentinelError('privilege.refused', {
    message: `${EVENTS_VARIABLE}: ${what}`,
    why: 'the variable hands descriptors from procmond to the program that it becomes, and to nobody else',
    hint: `start procmond without ${EVENTS_VARIABLE} in its environment`,
  });
}

export type AttachOptions = { readonly argvLimitBytes: number; readonly native: Native | null };

/**
 * The source of what was opened; null where nothing was. Threads are started as far as the tier needs one. Throws
 * 'native.unavailable', or 'privilege.refused' where a descriptor is not what it should be.
 */
export function attachEvents(opened: OpenedEvents, { argvLimitBytes, native }: AttachOptions): ProcessEventSource | null {
  const [descriptor] = opened.descriptors;
  if (opened.tier === 'off' || descriptor === undefined) return null;
  if (opened.tier === 'trace') return createTraceEvents(attachTraceInstance(opened.descriptors), { argvLimitBytes });
  if (native === null) throw new SentinelError('native.unavailable', { message: 'events of the kernel need the native addon' });
  try {
    return createKernelEvents({ native, descriptor, argvLimitBytes });
  } catch (cause) {
    throw refused(`descriptor ${descriptor} cannot be listened to: ${messageOf(cause)}`);
  }
}

/** Closes what was opened and is not attached. */
export function closeEvents(opened: OpenedEvents): void {
  for (const descriptor of opened.descriptors) closeSync(descriptor);
}
