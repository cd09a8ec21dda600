/**
 * Exports of a ledger (docs/ledger-format.md, section Export): how they are written and read.
 */
export type { EntryWithBody } from './entry-json.ts';
export {
  exportCheckpointLine,
  exportEndLine,
  exportEntryLine,
  exportHeaderLine,
  type ExportCounts,
  type ExportHeader,
} from './export-lines.ts';
export { openExport, type ExportReading, type ExportRecord } from './export-reader.ts';
