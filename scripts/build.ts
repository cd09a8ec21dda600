/**
 * Bundles the programs into build/: one file each, with what cannot be bundled beside them (the SQLite driver, the
 * native addon, the built-in rules). The folder is complete in itself: it can be copied and run elsewhere.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = join(import.meta.dirname, '..');

export const PROGRAMS_DIRECTORY: string = join(ROOT, 'build', 'programs');

const PROGRAMS = {
  procmond: 'packages/procmond/src/main.ts',
  'hash-worker': 'packages/procmond/src/hash-worker/main.ts',
  sentinelagent: 'packages/sentinelagent/src/main.ts',
  sentinelcli: 'packages/sentinelcli/src/main.ts',
  spawner: 'packages/detection/src/sql/spawner-main.ts',
  executor: 'packages/detection/src/sql/executor-main.ts',
  'sentinel-verify': 'packages/ledger/src/verifier/main.ts',
} as const;

/** Process listings of macOS and Windows: a program for Linux never imports them, and does not carry them. */
const OF_OTHER_SYSTEMS = process.platform === 'linux' ? [/^ps-list$/, /^systeminformation(\/|$)/] : [];

/** Builds into a new folder and puts it in place at once: whoever starts meanwhile sees the old or the new one. */
export async function build(): Promise<string> {
  const draft = `${PROGRAMS_DIRECTORY}.${process.pid}`;
  const made = mkdirSync(draft, { recursive: true });
  if (made !== undefined) openToAll(made, statSync(ROOT));
  try {
    for (const [name, source] of Object.entries(PROGRAMS)) {
      if (!existsSync(join(ROOT, source))) continue;
      const bundle = await rolldown({
        input: { [name]: join(ROOT, source) },
        platform: 'node',
        external: ['better-sqlite3', ...OF_OTHER_SYSTEMS],
        resolve: { conditionNames: ['sentineld-source', 'node', 'import', 'default'] },
        logLevel: 'warn',
      });
      await bundle.write({
        dir: draft,
        format: 'esm',
        entryFileNames: '[name].js',
        codeSplitting: false,
        comments: { legal: true, jsdoc: false, annotation: true },
      });
      const program = join(draft, `${name}.js`);
      writeFileSync(program, inAscii(readFileSync(program, 'utf8')));
    }
    // Without it Node takes each program for CommonJS first, and parses and keeps it twice.
    writeFileSync(join(draft, 'package.json'), '{"type":"module"}\n');
    copySqliteDriver(draft);
    cpSync(join(ROOT, 'packages/native/prebuilt'), join(draft, 'prebuilt'), { recursive: true, filter: (path) => !path.endsWith('BUILD') });
    cpSync(join(ROOT, 'packages/detection/rules'), join(draft, 'rules'), { recursive: true });
    openToAll(draft, statSync(ROOT));
    rmSync(`${PROGRAMS_DIRECTORY}.old`, { recursive: true, force: true });
    if (existsSync(PROGRAMS_DIRECTORY)) renameSync(PROGRAMS_DIRECTORY, `${PROGRAMS_DIRECTORY}.old`);
    renameSync(draft, PROGRAMS_DIRECTORY);
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(`${PROGRAMS_DIRECTORY}.old`, { recursive: true, force: true });
  }
  return PROGRAMS_DIRECTORY;
}

/** Whatever the umask: other users run the programs too. What root builds belongs to the owner of the checkout, who builds next. */
function openToAll(path: string, owner: Stats): void {
  const status = lstatSync(path);
  if (process.getuid?.() === 0) lchownSync(path, owner.uid, owner.gid);
  if (status.isSymbolicLink()) return;
  chmodSync(path, status.isDirectory() ? 0o755 : 0o644);
  if (status.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name), owner);
}

/**
 * The same program in ASCII: one character beyond Latin-1 would have V8 keep all of its text in two bytes a character.
 * An escape means the same in text, in a template, in a pattern and in a name.
 */
function inAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function copySqliteDriver(draft: string): void {
  const driver = realpathSync(join(ROOT, 'packages/store/node_modules/better-sqlite3'));
  const copy = join(draft, 'node_modules', 'better-sqlite3');
  for (const part of ['package.json', 'LICENSE', 'lib']) cpSync(join(driver, part), join(copy, part), { recursive: true });
  const binary = `${process.platform}-${process.arch}.node`;
  cpSync(join(driver, 'prebuilds', binary), join(copy, 'prebuilds', binary));
}

if (import.meta.main) await build();
