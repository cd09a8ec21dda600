/**
 * Rule 4 for what needs no import: globals that reach the network, code made from text, modules chosen at run
 * time. Also rule 3's barrels. Reads the syntax only, so it stops mistakes and not an author who hides a call.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';
import { findSources } from './module-graph.ts';
import { TEST_FILE, zoneOfFile, type Zone } from './zones.ts';

type Rule = {
  /** Zones that may do it. */
  readonly allowedIn: readonly Zone[];
  readonly message: string;
};

const RULES = {
  eval: { allowedIn: [], message: 'runs text as code' },
  'new-function': { allowedIn: [], message: 'makes code from text' },
  'load-extension': { allowedIn: [], message: 'loads native code into SQLite' },
  'process-binding': { allowedIn: [], message: 'takes a module past the import rules' },
  'process-dlopen': { allowedIn: ['native'], message: 'loads native code; only packages/native does' },
  'computed-global': { allowedIn: [], message: 'picks a global by a computed name' },
  'create-require': { allowedIn: ['network'], message: 'loads modules past the import rules' },
  'import-variable': { allowedIn: ['network'], message: 'imports a module whose name is not written here' },
  'network-global': { allowedIn: ['network'], message: 'reaches the network; only packages/sentinelagent does' },
  'pino-transport': { allowedIn: [], message: 'makes pino start a worker thread and import by name' },
  'export-star': { allowedIn: [], message: 'export names, one by one' },
  'index-barrel': { allowedIn: [], message: 'packages export named paths through `exports`' },
} as const satisfies Readonly<Record<string, Rule>>;

type RuleName = keyof typeof RULES;

/** Names that are forbidden as globals and as members of the global object. */
const RULE_BY_GLOBAL: Readonly<Record<string, RuleName>> = {
  eval: 'eval',
  fetch: 'network-global',
  WebSocket: 'network-global',
  EventSource: 'network-global',
  XMLHttpRequest: 'network-global',
  createRequire: 'create-require',
};

/** Names that are forbidden as members of anything. */
const RULE_BY_MEMBER: Readonly<Record<string, RuleName>> = {
  loadExtension: 'load-extension',
  enableLoadExtension: 'load-extension',
  createRequire: 'create-require',
  getBuiltinModule: 'process-binding',
  _linkedBinding: 'process-binding',
  dlopen: 'process-dlopen',
};

const GLOBAL_OBJECTS = ['globalThis', 'global', 'self'];

function ownEntry(table: Readonly<Record<string, RuleName>>, name: string): RuleName | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function isNamed(node: ts.Node, names: readonly string[]): boolean {
  return ts.isIdentifier(node) && names.includes(node.text);
}

/** Names of members, as in `{ fetch: 1 }` or `type T = { fetch(): void }`, name nothing global. */
function namesMember(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  const declares = ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent);
  return (declares || ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) && parent.name === node;
}

function ruleOfMember(object: ts.Expression, name: string): RuleName | undefined {
  if (isNamed(object, GLOBAL_OBJECTS)) return ownEntry(RULE_BY_GLOBAL, name) ?? ownEntry(RULE_BY_MEMBER, name);
  if (isNamed(object, ['process']) && name === 'binding') return 'process-binding';
  if (isNamed(object, ['pino']) && name === 'transport') return 'pino-transport';
  return ownEntry(RULE_BY_MEMBER, name);
}

function ruleOfCall(node: ts.CallExpression | ts.NewExpression): RuleName | undefined {
  const [first] = node.arguments ?? [];
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return first !== undefined && ts.isStringLiteralLike(first) ? undefined : 'import-variable';
  if (isNamed(node.expression, ['Function'])) return 'new-function';
  const called = node.expression;
  if (ts.isPropertyAccessExpression(called))
    return called.name.text === 'constructor' || called.name.text === 'Function' ? 'new-function' : undefined;
  const setsTransport = (argument: ts.Expression): boolean =>
    ts.isObjectLiteralExpression(argument) &&
    argument.properties.some(({ name }) => name !== undefined && ts.isIdentifier(name) && name.text === 'transport');
  return isNamed(called, ['pino']) && (node.arguments ?? []).some(setsTransport) ? 'pino-transport' : undefined;
}

function ruleOf(node: ts.Node): RuleName | undefined {
  if (ts.isIdentifier(node))
    return namesMember(node) ? undefined : (ownEntry(RULE_BY_GLOBAL, node.text) ?? ownEntry(RULE_BY_MEMBER, node.text));
  if (ts.isPropertyAccessExpression(node)) return ruleOfMember(node.expression, node.name.text);
  if (ts.isElementAccessExpression(node)) {
    if (ts.isStringLiteralLike(node.argumentExpression)) return ruleOfMember(node.expression, node.argumentExpression.text);
    return isNamed(node.expression, [...GLOBAL_OBJECTS, 'process']) ? 'computed-global' : undefined;
  }
  if (ts.isPropertyAssignment(node))
    return node.name.getText() === 'allowExtension' && node.initializer.kind !== ts.SyntaxKind.FalseKeyword ? 'load-extension' : undefined;
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) return ruleOfCall(node);
  if (ts.isExportDeclaration(node))
    return node.exportClause === undefined || ts.isNamespaceExport(node.exportClause) ? 'export-star' : undefined;
  return undefined;
}

/** Findings in one file's text; `file` is its path from the repository's root. */
export function scanSource(file: string, text: string): Finding[] {
  const zone = zoneOfFile(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const findings: Finding[] = [];
  const report = (name: RuleName, line: number): void => {
    const rule: Rule = RULES[name];
    if (zone === undefined || !rule.allowedIn.includes(zone)) findings.push({ rule: name, file, line, message: rule.message });
  };
  const visit = (node: ts.Node): void => {
    const rule = ruleOf(node);
    if (rule !== undefined) report(rule, source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (basename(file) === 'index.ts') report('index-barrel', 1);
  return findings;
}

if (import.meta.main) {
  const sources = findSources(REPOSITORY).filter((file) => !TEST_FILE.test(file) && zoneOfFile(file) !== 'tests');
  if (sources.length === 0) throw new Error('no source files: nothing can be checked');
  console.log(`${String(sources.length)} source files`);
  reportFindings(sources.flatMap((file) => scanSource(file, readFileSync(join(REPOSITORY, file), 'utf8'))));
}
