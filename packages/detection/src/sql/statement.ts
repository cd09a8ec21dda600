/**
 * Layer 2, first half: the text as one SELECT, parsed by SQLite's own grammar (sqlite3-parser), with its nodes in a
 * flat list, so that no check needs recursion of its own and none can forget a place where an expression may stand.
 */
import type { Refusal } from '@sentineld/model/rule';
import { parse, tokenize, tokenName, type AstNode, type CommonTableExpr, type Select } from 'sqlite3-parser';
import { boundsOf, foldName, refusal, type SourceSpan, type SqlPolicy } from './policy.ts';

export type Statement = {
  readonly sql: string;
  readonly select: Select;
  /** Every node, parents before children, in the order of the text. */
  readonly nodes: readonly AstNode[];
  readonly parentOf: (node: AstNode) => AstNode | undefined;
};

export type ParsedStatement = { readonly ok: true; readonly statement: Statement } | { readonly ok: false; readonly refusal: Refusal };

export function parseStatement(sql: string, policy: SqlPolicy): ParsedStatement {
  const result = parse(sql);
  if (result.status === 'error') {
    const [first] = result.errors;
    const hints = (first?.hints ?? []).map(({ message }) => ` (${message})`).join('');
    return {
      ok: false,
      refusal: refusal('parse', `SQLite cannot read this: ${first?.message ?? 'syntax error'}${hints}`, first?.span ?? null),
    };
  }
  const [command, second] = result.root.cmds;
  if (command === undefined) return { ok: false, refusal: refusal('statement', 'There is no statement here. Write one SELECT.', null) };
  if (second !== undefined)
    return { ok: false, refusal: refusal('statement', 'There is more than one statement. Write exactly one SELECT.', secondStart(sql)) };
  if (command.type !== 'SelectStmt') {
    return { ok: false, refusal: refusal('statement', `Only a SELECT is run, this is ${describeType(command.type)}.`, command.span) };
  }
  if (command.body.select.type === 'SelectValues') {
    return {
      ok: false,
      refusal: refusal('statement', 'A statement that is only VALUES is not run. Write SELECT … FROM (VALUES …).', command.span),
    };
  }
  return flatten(sql, command.body, boundsOf(policy).maxDepth);
}

/** Where the second statement begins; the parser's own spans of statements do not all say it. */
function secondStart(sql: string): SourceSpan | null {
  let isAfterFirst = false;
  for (const { type, span } of tokenize(sql)) {
    const isSemicolon = tokenName(type) === 'SEMI';
    if (isAfterFirst && !isSemicolon) return span;
    isAfterFirst ||= isSemicolon;
  }
  return null;
}

/** CreateTableStmt is CREATE TABLE. */
function describeType(type: string): string {
  return type
    .replace(/Stmt$/, '')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toUpperCase();
}

function flatten(sql: string, select: Select, maxDepth: number): ParsedStatement {
  const nodes: AstNode[] = [];
  const parents = new Map<AstNode, AstNode>();
  const waiting: { node: AstNode; depth: number }[] = [{ node: select, depth: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (depth > maxDepth)
      return {
        ok: false,
        refusal: refusal(
          'limit',
          `The statement is nested more than ${maxDepth} levels deep here. Put brackets around groups of terms, or use IN.`,
          node.span,
        ),
      };
    nodes.push(node);
    for (const child of childrenOf(node).toReversed()) {
      parents.set(child, node);
      waiting.push({ node: child, depth: depth + 1 });
    }
  }
  return { ok: true, statement: { sql, select, nodes, parentOf: (node) => parents.get(node) } };
}

/** Every property that holds nodes, not the parser's list of such properties: a list can have a hole. */
function childrenOf(node: AstNode): AstNode[] {
  return Object.values(node).flatMap((value: unknown) => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []));
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** The nodes below `root`, itself included. */
export function nodesWithin(root: AstNode): AstNode[] {
  const nodes: AstNode[] = [];
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    nodes.push(node);
    waiting.push(...childrenOf(node));
  }
  return nodes;
}

/** The CTE that `name` means at this place: those of every WITH around it can be seen. */
export function visibleCte(statement: Statement, node: AstNode, name: string): CommonTableExpr | undefined {
  for (let at: AstNode | undefined = node; at !== undefined; at = statement.parentOf(at)) {
    if (at.type !== 'Select') continue;
    const cte = at.with?.ctes.find(({ tblName }) => foldName(tblName.text) === foldName(name));
    if (cte !== undefined) return cte;
  }
  return undefined;
}
