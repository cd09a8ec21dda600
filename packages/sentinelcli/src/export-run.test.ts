import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openExportSource, runExport, tablesOf, type ExportSource } from './export-run.ts';
import { textSink, type Sink } from './export-sinks.ts';
import { BATCH_ROWS, type Batch } from './export-tables.ts';
import { NOW_MS, createInstallation, type Installation } from './fixtures/installation.ts';
import { createTerminal } from './output/terminal.ts';

const EVENTS = 200_000;
const EVERYTHING = { fromMs: null, toMs: null };

let installation: Installation;
let source: ExportSource;
let directory = '';
beforeAll(() => {
  installation = createInstallation();
  const atMs = NOW_MS - 1_000_000;
  const events = Array.from({ length: EVENTS }, (_, at) => ({ atMs: atMs - EVENTS + at, pid: 1 + (at % 30_000), command: { name: 'sh' } }));
  installation.makeHistory([
    { atMs, processes: Array.from({ length: 2500 }, (_, at) => ({ pid: at + 1 })), events },
    { atMs: atMs + 1000, processes: [{ pid: 1 }] },
  ]);
  source = openExportSource(installation.paths);
  directory = mkdtempSync(join(tmpdir(), 'sentineld-export-'));
}, 120_000);
afterAll(async () => {
  source.close();
  rmSync(directory, { recursive: true });
  await installation.close();
});

/** Counts what it is given and keeps none of it. */
function countingSink(onBatch: (batch: Batch) => void = () => undefined): Sink & { readonly sizes: number[] } {
  const sizes: number[] = [];
  return {
    sizes,
    begin: () => undefined,
    take: (batch) => {
      sizes.push(batch.length);
      onBatch(batch);
    },
    end: () => undefined,
    close: () => undefined,
  };
}

const quiet = { err: () => undefined, errIsTty: false, outTaken: () => Promise.resolve(true) };

describe('runExport', () => {
  it('hands on 200,000 rows, each once, in batches of a bounded size', async () => {
    const { tables } = tablesOf(source, ['process_events'], true);
    let before = 0;
    const sink = countingSink((batch) => {
      for (const [seq] of batch) {
        expect(seq).toBe(before + 1);
        before += 1;
      }
    });
    const exported = await runExport({ tables, range: EVERYTHING, sink, terminal: quiet });
    expect(exported).toMatchObject({ tables: [{ table: 'process_events', rows: EVENTS }], endedBy: null });
    expect([Math.max(...sink.sizes), sink.sizes.length, exported.batches]).toEqual([BATCH_ROWS, EVENTS / BATCH_ROWS, EVENTS / BATCH_ROWS]);
  }, 60_000);

  it('writes a file of them through the command', async () => {
    const file = join(directory, 'events.jsonl');
    const { status, out } = await installation.run(['export', '--format', 'jsonl', '--table', 'process_events', '--output', file]);
    expect([status, out]).toEqual([0, expect.stringContaining(`: ${EVENTS} rows (${EVENTS} of process_events)`)]);
    expect(statSync(file).size).toBeGreaterThan(EVENTS * 100);
    expect(readdirSync(directory)).toEqual(['events.jsonl']);
  }, 60_000);

  it('takes batches over the borders of scans, and a scan over those of batches', async () => {
    const sink = countingSink();
    const { tables } = tablesOf(source, ['process_snapshots'], true);
    await runExport({ tables, range: EVERYTHING, sink, terminal: quiet });
    expect(sink.sizes).toEqual([1000, 1000, 501]);
  });

  it('stops where nobody reads on', async () => {
    const sink = countingSink();
    const { tables } = tablesOf(source, ['process_events'], true);
    const exported = await runExport({
      tables,
      range: EVERYTHING,
      sink,
      terminal: { ...quiet, outTaken: () => Promise.resolve(sink.sizes.length < 3) },
    });
    expect([sink.sizes.length, exported.wasTaken, exported.endedBy]).toEqual([3, false, null]);
  });

  it('ends at a signal, and no file is left', async () => {
    const file = join(directory, 'ended.csv');
    const running = installation.run(['export', '--format', 'csv', '--table', 'process_events', '--output', file]);
    await expect
      .poll(() => readdirSync(directory).some((name) => name.startsWith('.ended.csv')), { timeout: 20_000, interval: 1 })
      .toBe(true);
    process.emit('SIGINT');
    expect(await running).toMatchObject({ status: 130, out: '', err: expect.stringMatching(/^ended after \d+ rows; no file was left\n/) });
    expect([existsSync(file), readdirSync(directory)]).toEqual([false, ['events.jsonl']]);
    expect(process.listenerCount('SIGINT')).toBe(0);
  }, 60_000);

  it('shows how far it is on a terminal, and cleans up after itself', async () => {
    const written: string[] = [];
    const { tables } = tablesOf(source, ['process_events'], true);
    const terminal = { ...quiet, errIsTty: true, err: (text: string) => written.push(text) };
    expect(tables[0]?.count(EVERYTHING)).toBe(EVENTS);
    await runExport({ tables, range: EVERYTHING, sink: countingSink(), terminal });
    expect(written.join('')).toMatch(/^(\rexporting [#.]{24} \d+ %)*(\r\u001b\[K)?$/);
  }, 60_000);

  it('waits for a slow reader instead of keeping what it has not taken', async () => {
    const listeners = new Map<string, () => void>();
    let waiting = 0;
    let most = 0;
    const stdout = {
      write: () => {
        waiting += 1;
        most = Math.max(most, waiting);
        setImmediate(() => {
          waiting = 0;
          listeners.get('drain')?.();
        });
        return false;
      },
      on: (event: string, listener: (cause: Error) => void) => listeners.set(event, () => listener(new Error('none'))),
    };
    const stderr = { write: () => true, on: () => undefined };
    const terminal = createTerminal({ stdout, stderr, environment: {}, noColor: true });
    const { tables } = tablesOf(source, ['process_snapshots'], true);
    await runExport({ tables, range: EVERYTHING, sink: textSink('json', terminal.out), terminal });
    expect(most).toBeLessThanOrEqual(2);
  });
});
