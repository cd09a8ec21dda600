/**
 * The physical layout of events.db: what changes rarely is stored once with the first and last scan it held for, what
 * changes often is stored when it did (docs/adr/0005-scan-layout.md). Readers see the views.
 */
import type { Migration } from '../migrations/migrate.ts';
import { LAYOUT_1 } from './layout-1.ts';
import { LAYOUT_2 } from './layout-2.ts';

/** Forward only; a step that was released is never changed. */
export const EVENTS_MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'process images, samples and scans', up: LAYOUT_1 },
  { version: 2, name: 'process events, small samples, what processes share', up: LAYOUT_2 },
];
