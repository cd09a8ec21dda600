/**
 * What readers may see of the databases, as data: the validator, the authorizer, the scratch store and the
 * documentation are all built from one description.
 */

export type ReadableColumn = {
  readonly name: string;
  readonly type: 'INTEGER' | 'REAL' | 'TEXT' | 'BLOB';
  /** Unit or form: ms since 1970, bytes, per cent of one core, JSON array, … */
  readonly unit?: string;
  readonly description: string;
  readonly nullable?: boolean;
};

export type ReadableTable = {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly ReadableColumn[];
};

export type ReadableSchema = {
  readonly tables: readonly ReadableTable[];
  /** Tables that the views among `tables` are made of: SQLite may touch them, a statement may not name them. */
  readonly hiddenTables: readonly string[];
};
