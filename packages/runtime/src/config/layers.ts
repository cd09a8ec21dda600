/**
 * One layer of configuration: a YAML file, the environment or command-line settings, each value with the place
 * it came from. Files are bounded on read; nothing here decides what a key means.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { SentinelError, errnoOf, messageOf, reasonOf } from '@sentineld/model/error';
import { LineCounter, isMap, isNode, isScalar, parseDocument, type Document, type ParsedNode } from 'yaml';

/** A value and where it was written. `where` reads as in a message: 'config.yaml:3:5', 'SENTINELD_LOG__LEVEL', '--set'. */
export type Setting = { readonly path: readonly string[]; readonly value: unknown; readonly where: string };

const MAX_FILE_BYTES = 1_048_576;
const MAX_ALIASES = 16;

/** Reads a YAML file to settings. A missing file gives null; anything else wrong is 'config.unreadable' or 'config.invalid'. */
export function readConfigFile(file: string): readonly Setting[] | null {
  let text: string;
  try {
    text = readBounded(file);
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause;
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    throw new SentinelError('config.unreadable', {
      message: `${file} cannot be read`,
      why: reasonOf(cause),
      hint: 'check its owner and mode, and whether HOME is the home of this user',
      cause,
    });
  }
  return parseConfigText(text, file);
}

/** A pipe would never end and a device neither: ordinary files alone, and those only up to their limit. */
function readBounded(file: string): string {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(descriptor);
    const kind = status.isDirectory() ? 'it is a directory' : 'it is not an ordinary file';
    const problem = !status.isFile() ? kind : status.size > MAX_FILE_BYTES ? 'it is larger than 1 MiB' : null;
    if (problem !== null) {
      throw new SentinelError('config.unreadable', {
        message: `${file} is no configuration file`,
        why: problem,
        hint: 'give a small YAML file; sentinelcli config show says which are read',
      });
    }
    return decodeText(readFileSync(descriptor), file);
  } finally {
    closeSync(descriptor);
  }
}

/** Text that is not UTF-8 would be read with characters that nobody wrote. */
function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SentinelError('config.invalid', {
      message: `${file} is not text`,
      why: 'it has bytes that are not UTF-8',
      hint: `save it as UTF-8; this shows its first such line: grep -naxv '.*' ${file}`,
      cause,
    });
  }
}

/** Settings of YAML text; `file` is used in messages alone. */
export function parseConfigText(text: string, file: string): readonly Setting[] {
  const lines = new LineCounter();
  const document: Document<ParsedNode> = parseDocument(text, { lineCounter: lines, uniqueKeys: true, stringKeys: true });
  const problem = document.errors[0];
  const place = (offset: number): string => {
    const at = lines.linePos(offset);
    return `${file}:${at.line}:${at.col}`;
  };
  if (problem) {
    throw notYaml(place(problem.pos[0]), problem);
  }
  const settings: Setting[] = [];
  const walk = (node: unknown, path: readonly string[], offset: number): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : '';
        const at = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
        walk(pair.value, [...path, key], at);
      }
      // An empty mapping says as little as nothing at all.
      if (node.items.length === 0) settings.push({ path, value: null, where: place(offset) });
      return;
    }
    try {
      const value: unknown = isNode(node) ? node.toJS(document, { maxAliasCount: MAX_ALIASES }) : null;
      settings.push({ path, value, where: place(offset) });
    } catch (cause) {
      // An alias without an anchor, or too many of them.
      throw notYaml(place(offset), cause);
    }
  };
  const isEmpty = document.contents === null || (isScalar(document.contents) && document.contents.value === null);
  if (!isEmpty && !isMap(document.contents)) {
    throw new SentinelError('config.invalid', {
      message: `${file}:1:1: no mapping`,
      why: 'a configuration file is a mapping of keys to values',
      hint: 'write for instance "log:" and, indented below it, "level: debug"',
    });
  }
  walk(document.contents, [], 0);
  return settings.filter((setting) => setting.path.length > 0);
}

function notYaml(place: string, problem: unknown): SentinelError {
  const [why = ''] = messageOf(problem).split('\n');
  return new SentinelError('config.invalid', {
    message: `${place}: not valid YAML`,
    // What the library adds, " at line 2, column 3:", has been said.
    why: why.replace(/ at line \d+, column \d+:?$/, ''),
    hint: 'mend the line named; sentinelcli config validate FILE tries it',
    cause: problem,
  });
}

/** Settings of the environment: SENTINELD_COLLECTION__INTERVAL=2s is collection.interval. Values are read as YAML scalars or flow lists. */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): readonly Setting[] {
  const settings: Setting[] = [];
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('SENTINELD_') || text === undefined || NOT_CONFIGURATION.has(name)) continue;
    const path = name.slice('SENTINELD_'.length).toLowerCase().split('__');
    settings.push({ path, value: scalar(text), where: name });
  }
  return settings;
}

/** Variables that start alike and are not configuration. */
const NOT_CONFIGURATION: ReadonlySet<string> = new Set(['SENTINELD_CORPORA', 'SENTINELD_RESOLVED_CONFIG', 'SENTINELD_EVENT_DESCRIPTORS']);

/** A setting of the command line, written KEY=VALUE. */
export function parseAssignment(assignment: string): Setting {
  const at = assignment.indexOf('=');
  if (at < 1) {
    throw new SentinelError('usage.invalid', {
      message: `--set ${assignment}: not taken`,
      why: 'it must be KEY=VALUE',
      hint: 'write for instance --set collection.interval=2s',
    });
  }
  return { path: assignment.slice(0, at).split('.'), value: scalar(assignment.slice(at + 1)), where: `--set ${assignment.slice(0, at)}` };
}

/** A number, a boolean, a list or quoted text as YAML reads it; anything else is text as it stands, '#' and ': ' of a path included. */
function scalar(text: string): unknown {
  const document = parseDocument(text, { stringKeys: true });
  if (document.errors.length > 0 || isMap(document.contents)) return text.trim();
  try {
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return typeof value === 'string' && !/^\s*["']/.test(text) ? text.trim() : (value ?? '');
  } catch {
    return text.trim();
  }
}
