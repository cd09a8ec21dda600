/**
 * `sentinelcli audit export`: entries and checkpoints of the ledger in a file that can be verified without it.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import type { ExportCounts } from '@sentineld/ledger/export-file';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { planExport, writeExport, type ExportPlan, type ExportRange } from '../ledger/ledger-export.ts';
import { withLedger, type LedgerView } from '../ledger/ledger-view.ts';
import { flag, text } from '../option.ts';
import { startNewFile, type NewFile } from '../output/new-file.ts';
import { startProgress } from '../output/progress.ts';
import { roughSize } from '../output/times.ts';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';
import { keepSignals } from '../signals.ts';

export const auditExport: Command = defineCommand({
  name: 'audit export',
  summary: 'Write entries and checkpoints of the ledger, to be verified elsewhere',
  description:
    'JSON lines as docs/ledger-format.md has them, up to a signed checkpoint: where the range ends between two, it is widened to the next one. sentinel-verify verifies the file without SentinelD. Only its owner may read it, and it appears when it is complete. The ledger records that it was done.',
  options: {
    range: text('A-B', 'Numbers of entries, both belong to it: 100-200, 100-, -200; all that are signed unless given'),
    out: text('FILE', 'A new file, or - for standard output; has to be given'),
    force: flag('Replace the file where there is one'),
  },
  examples: [
    { line: 'sentinelcli audit export --out ledger.jsonl', what: 'everything that is signed' },
    { line: 'sentinelcli audit export --range 4000-5000 --out part.jsonl', what: 'a part, widened to the next checkpoint' },
    { line: 'sentinelcli audit export --out - | gzip > ledger.jsonl.gz', what: 'compressed' },
  ],
  run: async (context, _words, { range, out, force }) => {
    if (out === null) throw usage('audit export needs --out', 'it writes a file, or to standard output', 'write --out=FILE, or --out=-');
    const asked = readRange(range);
    const isStream = out === '-';
    if (isStream && force) throw usage('--force needs a file', '--out - is standard output', 'leave --force out');
    return withLedger(context.paths(), async (ledger) => {
      const plan = planExport(ledger, asked);
      tellWidened(context, asked, plan);
      return exportTo(context, ledger, plan, isStream ? null : startNewFile(out, { force }));
    });
  },
});

function readRange(given: string | null): ExportRange {
  if (given === null) return { from: null, to: null };
  const [, from = '', to = ''] = /^(\d{1,15})?-(\d{1,15})?$/.exec(given) ?? [];
  const range = { from: from === '' ? null : Number(from), to: to === '' ? null : Number(to) };
  const hint = 'write for instance --range=100-200, --range=100- or --range=-200';
  if (range.from === null && range.to === null)
    throw usage(`--range ${given}: not taken`, 'it must be two numbers of entries with a dash between them, or one of them', hint);
  if (range.from === 0 || range.to === 0) throw usage(`--range ${given}: not taken`, 'entries are numbered from 1', hint);
  if (range.from !== null && range.to !== null && range.from > range.to)
    throw usage(`--range ${given}: not taken`, 'the end is before the beginning', hint);
  return range;
}

function tellWidened({ terminal }: CommandContext, { to }: ExportRange, plan: ExportPlan): void {
  if (to === null || to === plan.to) return;
  terminal.err(terminal.errStyles.dim(`widened to entry ${plan.to}, where the next checkpoint is`) + '\n');
}

async function exportTo(context: CommandContext, ledger: LedgerView, plan: ExportPlan, file: NewFile | null): Promise<number> {
  const { terminal } = context;
  const signals = keepSignals();
  const startedMs = performance.now();
  const progress = startProgress(terminal, 'exporting', plan.to - plan.near.size);
  const sink = {
    write: file?.write ?? terminal.out,
    goesOn: async () => (await terminal.outTaken()) && signals.exitStatus() === null,
  };
  let counts: ExportCounts | null = null;
  try {
    counts = await writeExport(ledger, plan, sink, progress.step);
    progress.end();
    if (file !== null && counts !== null)
      terminal.out(`${displayHostText(file.name)}: ${countsText(plan, counts)}, ${roughSize(file.complete())}\n`);
    if (file === null && counts !== null) terminal.err(terminal.errStyles.dim(countsText(plan, counts)) + '\n');
    if (signals.exitStatus() !== null) terminal.err(`ended before its end${file === null ? '' : '; no file was left'}\n`);
  } finally {
    progress.end();
    signals.release();
    file?.discard();
    const outcome = counts !== null ? 'ok' : signals.exitStatus() === null ? 'failed' : 'interrupted';
    const data = { export: ['audit_ledger'], format: 'ledger', from: plan.from, to: plan.to, outcome };
    const ms = Math.round(performance.now() - startedMs);
    tellUnrecorded(context, await recordAudit(context, { action: 'query_execute', data: { ...data, rows: counts?.entries ?? 0, ms } }));
  }
  return counts === null ? (signals.exitStatus() ?? 0) : 0;
}

function countsText({ from, to }: ExportPlan, { entries, checkpoints }: ExportCounts): string {
  return `entries ${from} to ${to} (${entries}) and ${checkpoints} ${checkpoints === 1 ? 'checkpoint' : 'checkpoints'}`;
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
