/**
 * Details that are kept beside their entry: the entry has their hash and their size.
 */
import { blake3 } from './blake3.ts';

/** How event_data begins where the details are in audit_body. */
const STUB = /^\{"body":\{"blake3":"([0-9a-f]{64})","size_bytes":(0|[1-9][0-9]{0,15})\}[,}]/;

/** Lower-case hex of the hash that audit_body must have a row of; null for event_data that has all details itself. */
export function bodyHashOf(eventData: string): string | null {
  return STUB.exec(eventData)?.[1] ?? null;
}

/** Rule 13: what is wrong with the body of an entry, or null. */
export function checkBody(eventData: string, body: string | null): string | null {
  const [, hash, size] = STUB.exec(eventData) ?? [];
  if (hash === undefined) return body === null ? null : 'it has details beside it, and says nothing of them';
  if (body === null) return 'its details are not in audit_body';
  if (!body.isWellFormed()) return 'its details are not Unicode text';
  const bytes = Buffer.from(body);
  if (bytes.length !== Number(size)) return `its details have ${bytes.length} bytes, not ${size}`;
  return Buffer.from(blake3(bytes)).toString('hex') === hash ? null : 'its details do not have the hash that it says';
}
