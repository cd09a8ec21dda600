import { describe, expect, it } from 'vitest';
import { parseRecordedEvent } from './recorded-event.ts';

const parse = (value: unknown) => parseRecordedEvent(JSON.stringify(value), 7);

describe('a line of a recording', () => {
  it('is an event, with what it says', () => {
    const line = {
      event_id: 'ev-1',
      pid: 9,
      ppid: 8,
      name: 'sh',
      Image: '/usr/bin/dash',
      exec_path: '/bin/sh',
      argv: ['sh', '-c', 'id'],
      CommandLine: 'sh -c id',
      ParentImage: '/usr/bin/bash',
      ParentCommandLine: '-bash',
      parent_argv: ['-bash'],
      CurrentDirectory: '/tmp',
      User: 'ana',
      t_ms: 1.5,
      expect: ['unknown', { keys: 'are left out' }],
    };
    expect(parse(line)).toEqual({
      ok: true,
      event: {
        eventId: 'ev-1',
        pid: 9,
        ppid: 8,
        name: 'sh',
        exePath: '/usr/bin/dash',
        argv: ['sh', '-c', 'id'],
        cmdline: 'sh -c id',
        parentExe: '/usr/bin/bash',
        parentCmdline: '-bash',
        cwd: '/tmp',
        user: 'ana',
        timeMs: 1.5,
      },
    });
  });

  it('has null for what is missing, and the line for an id', () => {
    const nothing = { pid: null, ppid: null, name: null, exePath: null, argv: null, cmdline: null, parentExe: null, timeMs: null };
    for (const line of [{}, { event_id: null, pid: null, argv: null, t_ms: null }])
      expect(parse(line)).toMatchObject({ ok: true, event: { eventId: 'line 7', ...nothing } });
  });

  it('takes the path that was called and the arguments where nothing better is known', () => {
    expect(parse({ exec_path: '/bin/sh', argv: ['sh', '-c'], parent_argv: ['a', 'b'] })).toMatchObject({
      event: { exePath: '/bin/sh', cmdline: 'sh -c', parentCmdline: 'a b' },
    });
  });

  it.each([
    ['not json', null, 'it is not valid JSON'],
    ['"text"', null, 'it is not an object of keys and values'],
    ['[]', null, 'it is not an object of keys and values'],
    ['{"pid":"1"}', 'pid', 'it is not a whole number'],
    ['{"pid":-1}', 'pid', 'it is below 0'],
    ['{"ppid":4194305}', 'ppid', 'it is above 4194304'],
    ['{"pid":1.5}', 'pid', 'it is not a whole number'],
    ['{"Image":7}', 'Image', 'it is not a text'],
    ['{"CommandLine":"a\\u0000b"}', 'CommandLine', 'it holds a NUL character'],
    ['{"argv":"sh -c"}', 'argv', 'it is not a list of texts'],
    ['{"argv":["sh",1]}', 'argv', 'it is not a text'],
    ['{"t_ms":"now"}', 't_ms', 'it is not a number'],
    ['{"t_ms":1e300}', 't_ms', 'it is no time'],
    ['{"event_id":""}', 'event_id', 'it is empty'],
    [JSON.stringify({ event_id: 'x'.repeat(257) }), 'event_id', 'it is longer than 256'],
  ])('%s is refused', (line, key, why) => {
    expect(parseRecordedEvent(line, 1)).toEqual({ ok: false, key, why });
  });

  it('has keys of its own alone', () => {
    expect(parseRecordedEvent('{"__proto__":{"name":"x"},"constructor":1}', 3)).toMatchObject({ ok: true, event: { name: null } });
  });
});
