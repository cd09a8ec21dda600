/**
 * What the path of a control group tells of who runs a process: container, pod, systemd unit. Container engines and
 * systemd name groups by convention. Whoever may make groups of their own can take such a name: it is a name, no proof.
 */
import { decodeHostBytes } from '@sentineld/model/host-text';
import type { ControlGroup } from '@sentineld/model/process';
import { createByteCache } from './byte-cache.ts';

const PATH_BYTES = 4096;
/** NAME_MAX: no group has a longer name. */
const NAME_LENGTH = 255;
/** Bytes of keys that are remembered. */
const REMEMBERED_BYTES = 1 << 20;

/** Reads /proc/PID/cgroup. Equal groups are one object while they are remembered. Null where it names none. */
export function createControlGroups(): (content: Buffer) => ControlGroup | null {
  const byPath = createByteCache<ControlGroup>(REMEMBERED_BYTES, (path) => readControlGroup(decodeHostBytes(path)));
  return (content) => {
    const path = choosePath(content.toString('latin1'));
    return path === null ? null : byPath(Buffer.from(path, 'latin1'), 0, Math.min(path.length, PATH_BYTES));
  };
}

/** Of several hierarchies the one that names most, and among equals the one that comes first here. */
const PREFERRED = ['name=systemd', '', 'memory', 'pids'];

/** The path of the hierarchy that tells best who runs the process, one character for each byte: lines of 'ID:controllers:path' (cgroups(7)). */
export function choosePath(content: string): string | null {
  let best: string | null = null;
  let bestRank = -1;
  // What follows the last line end is nothing, or a line that was cut.
  for (const line of content.split('\n').slice(0, -1)) {
    const fields = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (fields === null) continue;
    const [, controllers = '', path = ''] = fields;
    const rank = rankOf(controllers, path);
    if (rank <= bestRank) continue;
    best = path;
    bestRank = rank;
  }
  return best;
}

function rankOf(controllers: string, path: string): number {
  const { containerId, unit } = readControlGroup(path);
  const told = containerId !== null ? 3 : unit !== null ? 2 : path !== '/' ? 1 : 0;
  const place = PREFERRED.findIndex((name) => controllers.split(',').includes(name));
  return told * (PREFERRED.length + 1) + (place < 0 ? 0 : PREFERRED.length - place);
}

/** What a path says. */
export function readControlGroup(path: string): ControlGroup {
  // The kernel adds a word where the group was removed and the process is still in it.
  const names = path.replace(/ \(deleted\)$/, '').split('/');
  const container = innermost(names, containerAt);
  return {
    path,
    containerId: container?.id ?? null,
    runtime: container?.runtime ?? null,
    podId: innermost(names, podAt),
    unit: innermost(names, unitAt),
  };
}

type Look<Found> = (names: readonly string[], at: number) => Found | null;

function innermost<Found>(names: readonly string[], look: Look<Found>): Found | null {
  for (let at = names.length - 1; at >= 0; at--) {
    if ((names[at]?.length ?? 0) > NAME_LENGTH) continue;
    const found = look(names, at);
    if (found !== null) return found;
  }
  return null;
}

const UNIT = /.\.(?:service|scope|socket|mount|swap)$/;

const unitAt: Look<string> = (names, at) => {
  const name = names[at] ?? '';
  return UNIT.test(name) ? unescaped(name) : null;
};

const POD = /(?:^|[-_])pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;
const PODS = /(?:^|-)kubepods/;

const podAt: Look<string> = (names, at) => {
  // Older engines put the container behind a colon: 'kubepods-pod<uid>.slice:cri-containerd:<id>'.
  const id = POD.exec((names[at] ?? '').split(':')[0] ?? '')?.[1];
  return id !== undefined && isBelowPods(names, at) ? id.replaceAll('_', '-') : null;
};

function isBelowPods(names: readonly string[], at: number): boolean {
  return names.slice(0, at + 1).some((name) => PODS.test(name));
}

type Container = { readonly id: string; readonly runtime: string | null };

const containerAt: Look<Container> = (names, at) => named(names[at] ?? '') ?? bare(names, at) ?? lxc(names, at) ?? machine(names, at);

const RUNTIMES: ReadonlyMap<string, string> = new Map(
  Object.entries({ docker: 'docker', 'cri-containerd': 'containerd', nerdctl: 'containerd', libpod: 'podman', 'libpod-payload': 'podman', crio: 'cri-o' }),
); // prettier-ignore

/** 'docker-<id>.scope', 'crio-<id>', 'kubepods-….slice:cri-containerd:<id>'. */
const NAMED = /^(?:[^:]*:)?([a-z-]+)[-:]([0-9a-f]{64})(?:\.scope)?$/;

function named(name: string): Container | null {
  const [, prefix = '', id = ''] = NAMED.exec(name) ?? [];
  const runtime = RUNTIMES.get(prefix);
  return runtime === undefined ? null : { id, runtime };
}

const BARE = /^[0-9a-f]{64}$/;
/** containerd's groups are below its namespaces; actions_job is what GitHub's runner tells docker. */
const PARENTS: ReadonlyMap<string, string> = new Map(
  Object.entries({ docker: 'docker', actions_job: 'docker', 'k8s.io': 'containerd', moby: 'containerd', nerdctl: 'containerd', default: 'containerd', libpod_parent: 'podman' }),
); // prettier-ignore
/** Fargate has ids of its own. */
const ECS_ID = /^(?:[0-9a-f]{64}|[0-9a-f]{32}-\d{1,10})$/;

/** An id and nothing else: what is around it says whose it is. */
function bare(names: readonly string[], at: number): Container | null {
  const id = names[at] ?? '';
  const parent = names[at - 1] ?? '';
  if (ECS_ID.test(id) && names.slice(0, at - 1).includes('ecs')) return { id, runtime: 'ecs' };
  if (!BARE.test(id)) return null;
  const runtime = PARENTS.get(parent);
  if (runtime !== undefined) return { id, runtime };
  return POD.test(parent) && isBelowPods(names, at - 1) ? { id, runtime: null } : null;
}

/** 'lxc.payload.NAME', and as it was before, 'lxc.payload/NAME' and 'lxc/NAME'. */
function lxc(names: readonly string[], at: number): Container | null {
  const name = names[at] ?? '';
  if (name.startsWith('lxc.payload.') && name.length > 12) return { id: name.slice(12), runtime: 'lxc' };
  const parent = names[at - 1];
  return name !== '' && (parent === 'lxc' || parent === 'lxc.payload') ? { id: name, runtime: 'lxc' } : null;
}

const MACHINE = /^(?:machine-(.+)\.scope|systemd-nspawn@(.+)\.service)$/;
/** libvirt's virtual machines, which are no containers, and its containers. */
const VIRTUAL = /^(?:qemu|xen|bhyve|ch)-/;

/** 'machine-NAME.scope' and 'systemd-nspawn@NAME.service'; beside what runs in the container they hold who watches it. */
function machine(names: readonly string[], at: number): Container | null {
  const [, scope, service] = MACHINE.exec(names[at] ?? '') ?? [];
  const id = unescaped(scope ?? service ?? '');
  const below = names[at + 1];
  if (id === '' || below === 'supervisor' || (service !== undefined && below === undefined)) return null;
  if (scope !== undefined && VIRTUAL.test(id)) return null;
  return { id, runtime: scope !== undefined && id.startsWith('lxc-') ? 'lxc' : 'systemd-nspawn' };
}

/** systemd writes what may not be in a name as '\x2d'; only what can be printed is written back. */
function unescaped(name: string): string {
  return name.replace(/\\x([2-7][0-9a-f])/g, (escape, digits: string) =>
    digits === '7f' ? escape : String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
