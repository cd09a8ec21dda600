/**
 * What was made of some bytes before, found again by the bytes: most processes share what they run, where they run and
 * in which control group, and neither text nor objects are made of it twice.
 */

/** What is made of `bytes` from `start` to `end`: the same object as the last time, as a rule. */
export type ByteCache<Value> = (bytes: Uint8Array, start: number, end: number) => Value;

type Entry<Value> = { readonly bytes: Buffer; readonly value: Value };

/** What an entry takes beside its bytes, roughly. */
const ENTRY_BYTES = 128;

/** Forgets everything where the keys become more than `limitBytes`: a bound for whoever makes a new one for each process. */
export function createByteCache<Value>(limitBytes: number, make: (bytes: Buffer) => Value): ByteCache<Value> {
  const entries = new Map<number, Entry<Value>>();
  let last: Entry<Value> | null = null;
  let keptBytes = 0;
  return (bytes, start, end) => {
    if (last !== null && isSame(last.bytes, bytes, start, end)) return last.value;
    const hash = hashOf(bytes, start, end);
    const known = entries.get(hash);
    if (known !== undefined && isSame(known.bytes, bytes, start, end)) {
      last = known;
      return known.value;
    }
    const key = Buffer.from(bytes.subarray(start, end));
    last = { bytes: key, value: make(key) };
    keptBytes += key.length + ENTRY_BYTES;
    if (keptBytes > limitBytes) {
      entries.clear();
      keptBytes = key.length + ENTRY_BYTES;
    }
    // Of two with one hash the newer one is kept.
    entries.set(hash, last);
    return last.value;
  };
}

function isSame(known: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = known;
  if (length !== end - start) return false;
  // From the end: paths begin alike.
  for (let at = length - 1; at >= 0; at--) if (known[at] !== bytes[start + at]) return false;
  return true;
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash;
}
