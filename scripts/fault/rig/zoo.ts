/**
 * Processes that are hard to describe, and what is true of each of them: how they name themselves, what they run from,
 * where they are, who they are.
 */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeHostBytes } from '@sentineld/model/host-text';
import type { Campaign } from './campaign.ts';
import { startHelper, type Helper } from './helper.ts';
import { temporaryDirectory, type User } from './programs.ts';

/** Nobody's accounts. */
const STRANGER: User = { uid: 61_191, gid: 61_191 };
const OTHER_UID = 61_192;
/** Names of 15 bytes at most: the kernel cuts the others. */
const NAMES: readonly (readonly [string, Buffer])[] = [
  ['a newline and an escape sequence', Buffer.from('a\n\u001b[2Jb')],
  ['parentheses as in stat', Buffer.from('x) R 1 1 1 (y')],
  ['spaces', Buffer.from('  two words  ')],
  ['a character cut in the middle', Buffer.from('\u00e4\u00f6\u00fc\u00df\u20ac\u20ac\u20ac').subarray(0, 15)],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80])],
  ['the name of a kernel thread', Buffer.from('kworker/0:1')],
  ['quotes of SQL', Buffer.from("';DROP TABLE--")],
];

export type Creature = {
  readonly name: string;
  readonly pid: number;
  /** Columns of `processes`, and entries of its platform_data, that must have these values. */
  readonly columns: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Fields that must be named as withheld or cut. */
  readonly unseen?: readonly string[];
  readonly helper: Helper;
};

/** Starts one of each kind that this user can make. `program` is strange.c, built. */
export async function populate(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const isRoot = process.getuid?.() === 0;
  const creatures = [
    ...(await withStrangeNames(campaign, program)),
    ...(await withStrangeArguments(campaign, program)),
    ...(await withStrangeFiles(campaign, program)),
    ...(await withStrangePlaces(campaign, program)),
    await zombie(campaign, program),
    ...(isRoot ? await withStrangeOwners(campaign, program) : []),
    ...(isRoot ? [await inNamespaces(campaign, program)] : []),
    ...(isRoot ? await inControlGroups(campaign, program) : []),
  ];
  campaign.most('kinds of processes', creatures.length);
  return creatures;
}

async function become(campaign: Campaign, program: string, words: readonly string[], user?: User): Promise<Helper> {
  const helper = startHelper(campaign, program, words, { user });
  await helper.answer('ready');
  return helper;
}

function hex(bytes: Buffer | string): string {
  return Buffer.from(bytes).toString('hex');
}

async function withStrangeNames(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const creatures: Creature[] = [];
  for (const [what, bytes] of NAMES) {
    const helper = await become(campaign, program, ['name', hex(bytes)]);
    const columns = { name: decodeHostBytes(bytes), is_kthread: 0, exe_path: program, command_line: [program, 'name', hex(bytes)] };
    creatures.push({ name: `a name with ${what}`, pid: helper.process.pid, columns, helper });
  }
  return creatures;
}

async function withStrangeArguments(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const large = await become(campaign, program, ['arguments', '20', '100000']);
  const many = await become(campaign, program, ['arguments', '100000', '6']);
  const zeroed = await become(campaign, program, ['kernel-thread', hex('kworker/1:1'), 'zeroed']);
  const title = await become(campaign, program, ['title', hex('sshd: root@pts/0\n\u001b]0;x\u0007'), 'x'.repeat(80)]);
  const creatures: Creature[] = [
    { name: '2 MB of arguments', pid: large.process.pid, columns: { exe_path: program }, unseen: ['argv'], helper: large },
    { name: '100,000 arguments', pid: many.process.pid, columns: { exe_path: program }, unseen: ['argv'], helper: many },
    {
      name: 'arguments of zeros',
      pid: zeroed.process.pid,
      columns: { is_kthread: 0, exe_path: program, name: 'kworker/1:1' },
      helper: zeroed,
    },
    { name: 'arguments overwritten by a title', pid: title.process.pid, columns: { is_kthread: 0, exe_path: program }, helper: title },
  ];
  if (process.getuid?.() !== 0) return creatures;
  const empty = await become(campaign, program, ['kernel-thread', hex('kworker/0:1'), 'empty']);
  const columns = { is_kthread: 0, exe_path: program, name: 'kworker/0:1', command_line: [] };
  return [...creatures, { name: 'no arguments, as a kernel thread', pid: empty.process.pid, columns, helper: empty }];
}

async function withStrangeFiles(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const directory = temporaryDirectory(campaign.cleanup);
  const gone = join(directory, 'gone');
  copyFileSync(program, gone);
  const deleted = await become(campaign, gone, ['stay']);
  rmSync(gone);
  const named = join(directory, 'here (deleted)');
  copyFileSync(program, named);
  const pretending = await become(campaign, named, ['stay']);
  const memory = await become(campaign, program, ['memory', hex('x\n\u001b]0;y'), hex('[kthreadd]')]);
  const inMemory = { exe_path: '/memfd:x\n\u001b]0;y', exe_deleted: 1, is_kthread: 0, command_line: ['[kthreadd]', 'stay'] };
  return [
    { name: 'a deleted executable', pid: deleted.process.pid, columns: { exe_path: gone, exe_deleted: 1 }, helper: deleted },
    { name: 'a file named "(deleted)"', pid: pretending.process.pid, columns: { exe_path: named, exe_deleted: 0 }, helper: pretending },
    { name: 'an executable in memory', pid: memory.process.pid, columns: inMemory, helper: memory },
  ];
}

async function withStrangePlaces(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const directory = temporaryDirectory(campaign.cleanup);
  const odd = join(directory, 'a\nb\u001b[2J "c"');
  const gone = join(directory, 'gone');
  const there = await become(campaign, program, ['directory', hex(odd), 'kept']);
  const lost = await become(campaign, program, ['directory', hex(gone), 'removed']);
  return [
    { name: 'a directory with a newline in its name', pid: there.process.pid, columns: { cwd: odd }, helper: there },
    { name: 'a directory that is gone', pid: lost.process.pid, columns: { cwd: `${gone} (deleted)` }, helper: lost },
  ];
}

async function zombie(campaign: Campaign, program: string): Promise<Creature> {
  const helper = await become(campaign, program, ['zombie']);
  const pid = Number(await helper.answer('child'));
  const columns = { status: 'zombie', ppid: helper.process.pid, exe_path: null, command_line: [], is_kthread: 0 };
  return { name: 'a zombie', pid, columns, helper };
}

async function withStrangeOwners(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const undumpable = await become(campaign, program, ['undumpable'], STRANGER);
  const changed = await become(campaign, program, ['user', String(STRANGER.uid), String(OTHER_UID)]);
  return [
    {
      name: 'one that may not be dumped',
      pid: undumpable.process.pid,
      columns: { user_id: STRANGER.uid, user_name: null, exe_path: program },
      helper: undumpable,
    },
    {
      name: 'an effective user that is not the real one',
      pid: changed.process.pid,
      columns: { user_id: OTHER_UID, real_user_id: STRANGER.uid },
      helper: changed,
    },
  ];
}

async function inNamespaces(campaign: Campaign, program: string): Promise<Creature> {
  const helper = await become(campaign, program, ['namespaces']);
  const pid = Number(await helper.answer('child'));
  const inode = (kind: string): number => Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))?.[1]);
  const columns = { ppid: helper.process.pid, pid_namespace: inode('pid'), mnt_namespace: inode('mnt'), net_namespace: inode('net') };
  if (inode('pid') === Number(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))?.[1])) throw new Error('no pid namespace of its own');
  return { name: 'the first of its namespaces', pid, columns, helper };
}

/** Where groups can be made: v2 first. */
const HIERARCHIES = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup', '/sys/fs/cgroup/systemd'];

async function inControlGroups(campaign: Campaign, program: string): Promise<readonly Creature[]> {
  const root = HIERARCHIES.find((one) => existsSync(join(one, 'cgroup.procs')));
  if (root === undefined) {
    campaign.say('no hierarchy of control groups: what is in one is not looked at');
    return [];
  }
  const id = randomBytes(32).toString('hex');
  const pod = `${randomBytes(4).toString('hex')}-0000-4000-8000-${randomBytes(6).toString('hex')}`;
  const unit = `fault-${randomBytes(4).toString('hex')}.service`;
  const groups: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    [`/docker/${id}`, { container_id: id, container_runtime: 'docker' }],
    [`/kubepods/burstable/pod${pod}/${id}`, { container_id: id, pod_id: pod }],
    [`/system.slice/${unit}`, { container_id: null, unit }],
  ];
  const creatures: Creature[] = [];
  for (const [path, data] of groups) {
    makeGroup(campaign, root, path);
    // As a runtime does it: what is to run there is put there first.
    const words = ['-c', 'echo $$ > "$0" && exec "$1" stay', join(root, path, 'cgroup.procs'), program];
    const helper = await become(campaign, '/bin/sh', words);
    creatures.push({ name: `control group ${path}`, pid: helper.process.pid, columns: { cgroup: path }, data, helper });
  }
  return creatures;
}

/** Makes the group and its parents, and takes away at the end what was made. */
function makeGroup(campaign: Campaign, root: string, path: string): void {
  const parts = path.split('/').slice(1);
  for (const [index] of parts.entries()) {
    const directory = join(root, ...parts.slice(0, index + 1));
    if (existsSync(directory)) continue;
    mkdirSync(directory);
    campaign.cleanup.defer(`control group ${directory}`, () => rmdirSync(directory));
  }
}
