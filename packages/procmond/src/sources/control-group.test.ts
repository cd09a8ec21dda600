import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choosePath, createControlGroups, readControlGroup } from './control-group.ts';

const ID = '4d5e'.repeat(16);
const INNER = '0a1b'.repeat(16);
const POD = '6f1c9c3e-8a52-4c0e-9e6c-2f9d6c1b7a55';
const POD_OF_SYSTEMD = POD.replaceAll('-', '_');
const PODS = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_OF_SYSTEMD}.slice`;

type Row = readonly [path: string, containerId: string | null, runtime: string | null, podId: string | null, unit: string | null];

const CONTAINERS: readonly Row[] = [
  [`/docker/${ID}`, ID, 'docker', null, null],
  [`/system.slice/docker-${ID}.scope`, ID, 'docker', null, `docker-${ID}.scope`],
  [`/system.slice/docker-${ID}.scope/init.scope`, ID, 'docker', null, 'init.scope'],
  [`/docker/${ID}/system.slice/nginx.service`, ID, 'docker', null, 'nginx.service'],
  [`/docker/${ID}/docker/${INNER}`, INNER, 'docker', null, null],
  [`/system.slice/docker-${ID}.scope/docker/${INNER}`, INNER, 'docker', null, `docker-${ID}.scope`],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`, ID, 'docker', null, `docker-${ID}.scope`],
  [`/actions_job/${ID}`, ID, 'docker', null, null],
  [`/system.slice:docker:${ID}`, ID, 'docker', null, null],
  [`/../../docker/${ID}`, ID, 'docker', null, null],
  [`/docker/${ID} (deleted)`, ID, 'docker', null, null],
  [`${PODS}/docker-${ID}.scope`, ID, 'docker', POD, `docker-${ID}.scope`],
  [`${PODS}/cri-containerd-${ID}.scope`, ID, 'containerd', POD, `cri-containerd-${ID}.scope`],
  [`/kubepods.slice/kubepods-pod${POD_OF_SYSTEMD}.slice/cri-containerd-${ID}.scope`, ID, 'containerd', POD, `cri-containerd-${ID}.scope`],
  [`/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${POD_OF_SYSTEMD}.slice/cri-containerd-${ID}.scope`, ID, 'containerd', POD, `cri-containerd-${ID}.scope`],
  [`/docker/${INNER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${POD_OF_SYSTEMD}.slice/cri-containerd-${ID}.scope`, ID, 'containerd', POD, `cri-containerd-${ID}.scope`],
  [`/system.slice/containerd.service/kubepods-besteffort-pod${POD_OF_SYSTEMD}.slice:cri-containerd:${ID}`, ID, 'containerd', POD, 'containerd.service'],
  [`/k8s.io/${ID}`, ID, 'containerd', null, null],
  [`/default/${ID}`, ID, 'containerd', null, null],
  [`/system.slice/nerdctl-${ID}.scope`, ID, 'containerd', null, `nerdctl-${ID}.scope`],
  [`/kubepods/besteffort/pod${POD}/${ID}`, ID, null, POD, null],
  [`/kubepods/pod${'ab'.repeat(16)}/${ID}`, ID, null, 'ab'.repeat(16), null],
  [`/kubepods/burstable/pod${POD}/crio-${ID}`, ID, 'cri-o', POD, null],
  [`${PODS}/crio-${ID}.scope`, ID, 'cri-o', POD, `crio-${ID}.scope`],
  [`${PODS}/crio-${ID}.scope/container`, ID, 'cri-o', POD, `crio-${ID}.scope`],
  [`/machine.slice/libpod-${ID}.scope/container`, ID, 'podman', null, `libpod-${ID}.scope`],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`, ID, 'podman', null, `libpod-${ID}.scope`],
  [`/libpod_parent/libpod-${ID}`, ID, 'podman', null, null],
  ['/lxc.payload.web', 'web', 'lxc', null, null],
  ['/lxc.payload/web/init.scope', 'web', 'lxc', null, 'init.scope'],
  ['/lxc/101/ns/system.slice/cron.service', '101', 'lxc', null, 'cron.service'],
  [`/lxc/101/docker/${ID}`, ID, 'docker', null, null],
  ['/machine.slice/machine-debian\\x2dtest.scope', 'debian-test', 'systemd-nspawn', null, 'machine-debian-test.scope'],
  ['/machine.slice/machine-web.scope/payload/system.slice/nginx.service', 'web', 'systemd-nspawn', null, 'nginx.service'],
  ['/machine.slice/systemd-nspawn@web.service/payload/init.scope', 'web', 'systemd-nspawn', null, 'init.scope'],
  ['/machine.slice/machine-lxc\\x2d4711\\x2dweb.scope/libvirt', 'lxc-4711-web', 'lxc', null, 'machine-lxc-4711-web.scope'],
  [`/ecs/4c01db0b-1111-2222-3333-444455556666/${ID}`, ID, 'ecs', null, null],
  [`/ecs/cluster/4c01db0b111122223333444455556666/${ID}`, ID, 'ecs', null, null],
  [`/ecs/4c01db0b111122223333444455556666/${'ab'.repeat(16)}-2531612879`, `${'ab'.repeat(16)}-2531612879`, 'ecs', null, null],
]; // prettier-ignore

const OTHERS: readonly Row[] = [
  ['/', null, null, null, null],
  ['/init.scope', null, null, null, 'init.scope'],
  ['/system.slice', null, null, null, null],
  ['/system.slice/ssh.service', null, null, null, 'ssh.service'],
  ['/system.slice/docker.service', null, null, null, 'docker.service'],
  ['/system.slice/docker.socket', null, null, null, 'docker.socket'],
  ['/system.slice/system-getty.slice/getty@tty1.service', null, null, null, 'getty@tty1.service'],
  ['/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service', null, null, null, 'serial-getty@ttyS0.service'],
  ['/system.slice/dev-disk-by\\x2duuid-0815.swap', null, null, null, 'dev-disk-by-uuid-0815.swap'],
  ['/user.slice/user-1000.slice/session-3.scope', null, null, null, 'session-3.scope'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4711.scope', null, null, null, 'app-gnome-firefox-4711.scope'],
  [`/system.slice/docker-${ID.slice(1)}.scope`, null, null, null, `docker-${ID.slice(1)}.scope`],
  [`/docker/${ID.slice(1)}`, null, null, null, null],
  [`/docker/${ID}a`, null, null, null, null],
  [`/docker/${ID.toUpperCase()}`, null, null, null, null],
  [`/jobs/${ID}`, null, null, null, null],
  [`/system.slice/my-docker/${ID}`, null, null, null, null],
  [`/system.slice/docker-${ID}.scope.old`, null, null, null, null],
  [`/machine.slice/libpod-conmon-${ID}.scope`, null, null, null, `libpod-conmon-${ID}.scope`],
  [`/machine.slice/crio-conmon-${ID}.scope`, null, null, null, `crio-conmon-${ID}.scope`],
  ['/machine.slice/machine-qemu\\x2d1\\x2dvm.scope', null, null, null, 'machine-qemu-1-vm.scope'],
  ['/machine.slice/machine-web.scope/supervisor', null, null, null, 'machine-web.scope'],
  ['/machine.slice/systemd-nspawn@web.service/supervisor', null, null, null, 'systemd-nspawn@web.service'],
  ['/lxc.monitor.web', null, null, null, null],
  ['/lxc', null, null, null, null],
  ['/lxc.payload.', null, null, null, null],
  [`/home/pod${POD}/x`, null, null, null, null],
  ['/.service', null, null, null, null],
  ['/a\\x1b\\x00.service', null, null, null, 'a\\x1b\\x00.service'],
  ['/process_api/1b600a3ca6964963320f098305fd3b48', null, null, null, null],
]; // prettier-ignore

describe('readControlGroup', () => {
  it.each([...CONTAINERS, ...OTHERS])('%s', (path, containerId, runtime, podId, unit) => {
    expect(readControlGroup(path)).toEqual({ path, containerId, runtime, podId, unit });
  });

  it('says nothing that is not in the path, and nothing long, whatever the path is', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('docker', 'lxc', 'lxc.payload.', 'machine-', '.scope', '.service', ID, 'pod', '\\x2d', 'ecs', ' (deleted)'),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 4 }).map((list) => list.join(''))), (names) => {
        const { path, containerId, podId, unit } = readControlGroup(`/${names.join('/')}`);
        expect(path).toBe(`/${names.join('/')}`);
        for (const found of [containerId, podId, unit]) expect(found === null || (found !== '' && found.length <= 255)).toBe(true);
      }),
    );
    expect(readControlGroup(`/lxc/${'x'.repeat(256)}`).containerId).toBeNull();
    expect(readControlGroup(`/${'x'.repeat(256)}.service`).unit).toBeNull();
  });
});

describe('choosePath', () => {
  const v1 = (paths: Readonly<Record<string, string>>): string =>
    Object.entries(paths)
      .map(([controllers, path], i) => `${i + 1}:${controllers}:${path}\n`)
      .join('');

  it.each([
    ['the only one of v2', '0::/user.slice/user-0.slice/session-1.scope\n', '/user.slice/user-0.slice/session-1.scope'],
    ['a path with colons', '0::/a:b::c\n', '/a:b::c'],
    ['systemd where all are alike', v1({ 'cpu,cpuacct': '/a', memory: '/b', 'name=systemd': '/c' }), '/c'],
    ['memory before pids before others', v1({ cpu: '/a', pids: '/b', memory: '/c', blkio: '/d' }), '/c'],
    ['one below the root before the root', v1({ 'name=systemd': '/', cpu: '/', memory: '/process_api/x' }) + '0::/\n', '/process_api/x'],
    ['a unit before any group', v1({ 'name=systemd': '/system.slice/ssh.service', memory: '/some/group' }), '/system.slice/ssh.service'],
    ['a container before a unit', v1({ 'name=systemd': '/system.slice/containerd.service', memory: `/k8s.io/${ID}` }), `/k8s.io/${ID}`],
    ['the root where there is nothing else', v1({ memory: '/' }), '/'],
    ['what is whole of what was cut', `0::/whole\n5:memory:/docker/${ID}`, '/whole'],
  ])('takes %s', (_name, content, path) => {
    expect(choosePath(content)).toBe(path);
  });

  it.each(['', '\n', 'nonsense\n', '0::relative\n', ':memory:/x\n'])('takes none from %j', (content) => {
    expect(choosePath(content)).toBeNull();
  });
});

describe('createControlGroups', () => {
  const lines = (...text: readonly string[]): Buffer => Buffer.from(text.map((line) => `${line}\n`).join(''), 'latin1');

  it('gives equal groups as one object, though other hierarchies differ', () => {
    const read = createControlGroups();
    const group = read(lines('1:name=systemd:/system.slice/ssh.service', '2:pids:/a'));
    expect(group).toMatchObject({ unit: 'ssh.service' });
    expect(read(lines('1:name=systemd:/system.slice/ssh.service', '2:pids:/b'))).toBe(group);
    expect(read(lines('1:name=systemd:/system.slice/cron.service'))).not.toBe(group);
    expect(read(lines())).toBeNull();
  });

  it('keeps the bytes of a path, and not more than 4096 of them', () => {
    const read = createControlGroups();
    expect(read(lines('0::/\xff'))?.path).toBe('/\u{10ffff}');
    expect(read(lines(`0::/${'x'.repeat(8000)}`))?.path).toHaveLength(4096);
  });
});
