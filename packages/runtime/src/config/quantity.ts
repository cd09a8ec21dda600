/**
 * Durations and sizes as people write them in a configuration file: '2s', '500ms', '64MiB'.
 */

const MS_BY_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES_BY_UNIT: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: 1024,
  mib: 1_048_576,
  gib: 1_073_741_824,
};

/** Milliseconds of a duration such as '500ms', '2s', '5m', '1h', '1d'; null where it is not one. A bare number is refused: it has no unit. */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, MS_BY_UNIT);
}

/** Bytes of a size such as '512B', '64KiB', '64MB'; null where it is not one. */
export function parseSize(text: string): number | null {
  return parseQuantity(text, BYTES_BY_UNIT);
}

/** A duration in the largest unit that divides it. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms !== 0 && ms % (MS_BY_UNIT[name] ?? 1) === 0) ?? 'ms';
  return `${ms / (MS_BY_UNIT[unit] ?? 1)}${unit}`;
}

/** A size in the largest binary unit that divides it. */
export function formatSize(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes !== 0 && bytes % (BYTES_BY_UNIT[name.toLowerCase()] ?? 1) === 0) ?? 'B';
  return `${bytes / (BYTES_BY_UNIT[unit.toLowerCase()] ?? 1)}${unit}`;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^\s*(\d{1,15})(?:\.(\d{1,3}))?\s*([a-z]+)\s*$/i.exec(text);
  const factor = units[(match?.[3] ?? '').toLowerCase()];
  if (match?.[1] === undefined || factor === undefined) return null;
  // In thousandths, because 1.001 is no binary fraction.
  const value = Number(match[1]) * factor + (Number((match[2] ?? '').padEnd(3, '0')) * factor) / 1000;
  return Number.isSafeInteger(value) ? value : null;
}
