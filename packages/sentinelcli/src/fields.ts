/**
 * Reading values that another process wrote, field by field: it may be of another release, so a field that is missing
 * or of another type is null or empty, never an error.
 */

export type Fields = Readonly<Record<string, unknown>>;

export function textField(body: Fields, name: string): string | null {
  const value = body[name];
  return typeof value === 'string' ? value : null;
}

export function numberField(body: Fields, name: string): number | null {
  const value = body[name];
  return typeof value === 'number' ? value : null;
}

export function recordField(body: Fields, name: string): Fields {
  const value = body[name];
  return isRecord(value) ? value : {};
}

export function listField(body: Fields, name: string): readonly unknown[] {
  const value = body[name];
  return Array.isArray(value) ? value : [];
}

export function textsField(body: Fields, name: string): readonly string[] {
  return listField(body, name).filter((value) => typeof value === 'string');
}

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
