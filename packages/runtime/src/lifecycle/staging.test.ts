import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reachableBy, readablePrograms } from './staging.ts';

const isRoot = process.getuid?.() === 0;
/** Nobody that owns anything. */
const OTHER = 61_203;
const own = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };

let directory = '';
let programs = '';
let stageRoot = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-staging-'));
  chmodSync(directory, 0o755);
  programs = join(directory, 'programs');
  stageRoot = join(directory, 'stage');
  mkdirSync(join(programs, 'rules'), { recursive: true });
  writeFileSync(join(programs, 'x.js'), 'x');
  writeFileSync(join(programs, 'rules', 'r.yaml'), 'r');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('reachableBy', () => {
  const file = (): string => join(programs, 'x.js');

  it.each([
    [0o400, 0o700, [true, false, false]],
    [0o040, 0o710, [false, true, false]],
    [0o004, 0o701, [false, false, true]],
    [0o440, 0o750, [true, true, false]],
    [0o444, 0o711, [true, true, true]],
    [0o444, 0o766, [true, false, false]],
    [0o000, 0o755, [false, false, false]],
  ])('a file of mode %o in a directory of mode %o: by owner, group, others: %j', (fileMode, directoryMode, expected) => {
    chmodSync(file(), fileMode);
    chmodSync(programs, directoryMode);
    expect([reachableBy(file(), own.uid, []), reachableBy(file(), OTHER, [OTHER, own.gid]), reachableBy(file(), OTHER, [OTHER])]).toEqual(
      expected,
    );
    chmodSync(programs, 0o755);
  });

  it('a directory must be readable, those above it need not be', () => {
    chmodSync(directory, 0o711);
    expect(reachableBy(programs, OTHER, [])).toBe(true);
    chmodSync(programs, 0o711);
    expect(reachableBy(programs, OTHER, [])).toBe(false);
    chmodSync(programs, 0o744);
    expect(reachableBy(programs, OTHER, [])).toBe(false);
    chmodSync(programs, 0o755);
    chmodSync(directory, 0o700);
    expect(reachableBy(programs, OTHER, [])).toBe(false);
    expect(reachableBy(programs, own.uid, [])).toBe(true);
  });

  it("an owner's bits come first, though the group's would allow more", () => {
    chmodSync(file(), 0o044);
    expect(reachableBy(file(), own.uid, [own.gid])).toBe(false);
  });

  it('everybody reaches /', () => {
    expect(reachableBy('/', OTHER, [])).toBe(true);
  });
});

/** Node itself may lie where others cannot read it: then everything is staged. */
const nodeIsReachable = reachableBy(process.execPath, OTHER, []);

describe('readablePrograms', () => {
  const stage = () => readablePrograms(programs, OTHER, [], stageRoot);
  const closed = (): void => chmodSync(programs, 0o700);

  it.skipIf(!nodeIsReachable)('are those in place where the user can read them (needs a Node that others can read)', () => {
    expect(stage()).toEqual({ node: process.execPath, directory: programs, staged: false });
    expect(existsSync(stageRoot)).toBe(false);
  });

  it('are copies where they cannot, Node included', () => {
    closed();
    const { node, directory: copies, staged } = stage();
    expect(staged).toBe(true);
    expect([node, copies].every((path) => path.startsWith(`${stageRoot}/`))).toBe(true);
    expect(readdirSync(copies, { recursive: true }).toSorted()).toEqual(['rules', 'rules/r.yaml', 'x.js']);
    expect(readFileSync(join(copies, 'rules', 'r.yaml'), 'utf8')).toBe('r');
    expect(statSync(node).size).toBe(statSync(process.execPath).size);
    expect(execFileSync(node, ['-p', '1 + 1'], { encoding: 'utf8' })).toBe('2\n');
    expect(readdirSync(stageRoot)).toHaveLength(1);
  });

  it('are readable and not writable by others, whatever the modes of what was built and the umask', () => {
    for (const name of readdirSync(programs, { recursive: true, encoding: 'utf8' }))
      chmodSync(join(programs, name), name.includes('.') ? 0o600 : 0o700);
    closed();
    const before = process.umask(0o077);
    try {
      const { node, directory: copies } = stage();
      const all = [
        stageRoot,
        join(copies, '..'),
        node,
        copies,
        ...readdirSync(copies, { recursive: true, encoding: 'utf8' }).map((name) => join(copies, name)),
      ];
      for (const path of all) {
        expect([path, reachableBy(path, OTHER, [])]).toEqual([path, true]);
        expect(statSync(path).mode & 0o022).toBe(0);
      }
      expect(statSync(node).mode & 0o111).toBe(0o111);
    } finally {
      process.umask(before);
    }
  });

  it.skipIf(!isRoot)('are owned by root, whoever owned what was built (needs root)', () => {
    chownSync(join(programs, 'x.js'), OTHER, OTHER);
    closed();
    expect(statSync(join(stage().directory, 'x.js')).uid).toBe(0);
  });

  it('are copied once for one build', () => {
    closed();
    const first = stage();
    const made = statSync(first.directory).ino;
    writeFileSync(join(first.directory, 'mark'), '');
    expect(stage()).toEqual(first);
    expect(existsSync(join(first.directory, 'mark'))).toBe(true);
    expect(statSync(first.directory).ino).toBe(made);
  });

  it('are copied anew for another build, and the old copies are removed', () => {
    closed();
    const first = stage();
    writeFileSync(join(programs, 'x.js'), 'y');
    utimesSync(join(programs, 'x.js'), 1, 1);
    const second = stage();
    expect(second.directory).not.toBe(first.directory);
    expect(readFileSync(join(second.directory, 'x.js'), 'utf8')).toBe('y');
    expect(existsSync(first.directory)).toBe(false);
    expect(readdirSync(stageRoot)).toHaveLength(1);
  });

  it('leave the draft of another daemon that is starting, and remove one of a dead process', () => {
    closed();
    const drafts = [`0123456789abcdef.${process.ppid}`, `0123456789abcdef.${2 ** 22 + 1}`];
    for (const draft of drafts) mkdirSync(join(stageRoot, draft), { recursive: true });
    stage();
    expect(drafts.map((draft) => existsSync(join(stageRoot, draft)))).toEqual([true, false]);
  });

  it('hold what links led to, not the links', () => {
    writeFileSync(join(directory, 'outside.js'), 'outside');
    symlinkSync('../outside.js', join(programs, 'link.js'));
    symlinkSync('rules', join(programs, 'more'));
    closed();
    const { directory: copies } = stage();
    expect(readFileSync(join(copies, 'link.js'), 'utf8')).toBe('outside');
    expect(readdirSync(join(copies, 'more'))).toEqual(['r.yaml']);
    rmSync(join(directory, 'outside.js'));
    expect(readFileSync(join(copies, 'link.js'), 'utf8')).toBe('outside');
  });
});
