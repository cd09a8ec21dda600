import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRecording, type ReadRecordingOptions } from './read-recording.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-recording-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function read(content: string | Uint8Array, options?: ReadRecordingOptions) {
  const path = join(directory, 'events.jsonl');
  writeFileSync(path, content);
  return readRecording(path, options);
}

describe('a recording', () => {
  it('is read line by line, empty lines and the last line feed apart', async () => {
    const long = 'x'.repeat(200_000);
    const events = await read(`{"event_id":"a"}\n\n{"event_id":"b","name":"${long}"}\r\n  \n{}`);
    expect(events.map(({ eventId }) => eventId)).toEqual(['a', 'b', 'line 5']);
    expect(events[1]?.name).toBe(long);
  });

  it('tells how far it is', async () => {
    const steps: number[] = [];
    await read('{}\n{}\n', { step: (bytes) => steps.push(bytes) });
    expect(steps).toEqual([3, 6]);
  });

  it.each<[string, string | Uint8Array, ReadRecordingOptions, string, string]>([
    ['a bad key', '{}\n{"pid":"x"}\n', {}, 'events.jsonl:2: pid is not taken', 'it is not a whole number'],
    ['no JSON', '{}\n{}\n{', {}, 'events.jsonl:3: this line is no event', 'it is not valid JSON'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), {}, 'events.jsonl:1: this line is no event', 'it is not UTF-8 text'],
    ['a long line', `{}\n{"name":"${'x'.repeat(50)}"}`, { bounds: { maxLineBytes: 40 } }, 'events.jsonl:2', 'longer than 40 bytes'],
    ['a line without an end', 'x'.repeat(200_000), { bounds: { maxLineBytes: 40 } }, 'events.jsonl:1', 'longer than 40 bytes'],
    ['a large file', '{}\n{}\n{}\n', { bounds: { maxBytes: 6 } }, 'is too large', 'larger than 6 bytes'],
    ['many events', '{}\n{}\n{}\n', { bounds: { maxEvents: 2 } }, 'is too large', 'more than 2 events'],
    ['nothing', '\n\n', {}, 'holds no event', 'every line of it is empty'],
  ])('of %s is refused with its place', async (_, content, options, message, why) => {
    await expect(read(content, options)).rejects.toMatchObject({
      code: 'usage.invalid',
      message: expect.stringContaining(message),
      why: expect.stringContaining(why),
    });
  });

  it('that cannot be read is named', async () => {
    await expect(readRecording(join(directory, 'none'))).rejects.toMatchObject({
      code: 'usage.invalid',
      why: 'there is no such file or directory',
    });
    await expect(readRecording(directory)).rejects.toMatchObject({ code: 'usage.invalid', why: 'it is a directory, not a file' });
  });

  it('names file, line and key for whoever asks by program', async () => {
    await expect(read('{"argv":1}')).rejects.toMatchObject({ context: { file: join(directory, 'events.jsonl'), line: 1, key: 'argv' } });
  });
});
