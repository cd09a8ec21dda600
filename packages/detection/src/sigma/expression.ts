/**
 * Conditions as a tree, and as SQL. A column that is NULL makes its condition unknown to SQL; Sigma knows only true and
 * false. Below AND and OR that is the same where only "true" counts, so unknown becomes false just below each NOT.
 */

export type Expression =
  | { readonly kind: 'comparison'; readonly sql: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression };

/** One comparison of one row. */
export function comparison(sql: string): Expression {
  return { kind: 'comparison', sql };
}

/** True where each of them is; at least one is given. */
export function allOf(of: readonly Expression[]): Expression {
  return joined('all', of);
}

/** True where one of them is; at least one is given. */
export function anyOf(of: readonly Expression[]): Expression {
  return joined('any', of);
}

export function not(of: Expression): Expression {
  return { kind: 'not', of };
}

/** Characters of its comparisons: what it has at least as SQL. */
export function sizeOf(expression: Expression): number {
  switch (expression.kind) {
    case 'comparison':
      return expression.sql.length;
    case 'not':
      return sizeOf(expression.of);
    case 'all':
    case 'any':
      return expression.of.reduce((size, part) => size + sizeOf(part), 0);
  }
}

function joined(kind: 'all' | 'any', of: readonly Expression[]): Expression {
  const [first] = of;
  return of.length === 1 && first !== undefined ? first : { kind, of };
}

const LINE_LENGTH = 120;
const INDENT = '  ';
/**
 * A chain of n terms is n levels deep, the validator takes 400, and a rule may have a thousand terms: a longer chain is
 * one of groups of at least this many.
 */
const MOST_IN_CHAIN = 64;

/** The condition as lines of SQL, without brackets around it. */
export function renderLines(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case 'comparison':
      return [expression.sql];
    case 'not':
      return bracketed('NOT coalesce(', renderLines(expression.of), ', 0)');
    case 'all':
    case 'any':
      return chain(expression.kind === 'all' ? 'AND' : 'OR', inGroups(expression));
  }
}

function inGroups({ kind, of }: Extract<Expression, { kind: 'all' | 'any' }>): readonly Expression[] {
  if (of.length <= MOST_IN_CHAIN) return of;
  const size = Math.max(MOST_IN_CHAIN, Math.ceil(Math.sqrt(of.length)));
  const groups = Math.ceil(of.length / size);
  return Array.from({ length: groups }, (_, at) => joined(kind, of.slice(at * size, (at + 1) * size)));
}

/** Terms of one line each share lines; the others stand between brackets. */
function chain(operator: string, terms: readonly Expression[]): readonly string[] {
  const lines: string[] = [];
  let isOpen = false;
  terms.forEach((term, at) => {
    const [first = '', ...rest] = term.kind === 'all' || term.kind === 'any' ? bracketed('(', renderLines(term), ')') : renderLines(term);
    const start = at === 0 ? first : `${operator} ${first}`;
    const last = lines.at(-1);
    if (isOpen && rest.length === 0 && last !== undefined && last.length + start.length < LINE_LENGTH)
      lines[lines.length - 1] = `${last} ${start}`;
    else lines.push(start, ...rest);
    isOpen = rest.length === 0;
  });
  return lines;
}

function bracketed(open: string, lines: readonly string[], close: string): readonly string[] {
  const [only = ''] = lines;
  if (lines.length === 1 && open.length + only.length + close.length < LINE_LENGTH && !only.includes('\n'))
    return [`${open}${only}${close}`];
  return [open, ...lines.map((line) => `${INDENT}${line}`), close];
}
