/**
 * What a hostile or broken peer does to a socket. Each says what it expected and did not see; whether the daemon stays
 * up, serves others and does not grow is looked at from outside, for every attack alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Campaign } from './campaign.ts';
import { eventually } from './eventually.ts';
import { connectPeer, frameOf, rawFrame, type Peer } from './peer.ts';
import type { User } from './programs.ts';

export type Target = { readonly name: string; readonly path: string; readonly user: User | null };

/** Gives what was expected and did not happen, or null; tells how many refusals the daemon must have counted. */
export type Attack = {
  readonly name: string;
  readonly run: (campaign: Campaign, target: Target, refused: (count: number) => void) => Promise<string | null>;
};

const CLOSE_PATIENCE_MS = 5_000;
/** The product gives a frame two seconds. */
const SLOW_PATIENCE_MS = 6_000;
/** Fewer than a daemon takes at once: those beyond that it closes without a word. */
const BATCH = 40;

export const ATTACKS: readonly Attack[] = [
  {
    name: 'garbage',
    run: async ({ random }, target) => {
      for (let left = 12; left > 0; left--) {
        const peer = await connected(target);
        peer?.send(random.bytes(random.between(1, 4_096)));
        if (peer !== null && !(await closes(peer))) return 'random bytes do not end the connection';
      }
      return null;
    },
  },
  {
    name: 'lengths of 4 GiB',
    run: async (_campaign, target) => {
      for (const header of ['ffffffff', '7fffffff', '00010001', '00000000']) {
        const peer = await connected(target);
        peer?.send(Buffer.from(header, 'hex'));
        if (peer !== null && !(await closes(peer))) return `a length of 0x${header} does not end the connection`;
      }
      return null;
    },
  },
  {
    name: 'one byte a second',
    run: async (_campaign, target) => {
      const peer = await connected(target);
      if (peer === null) return null;
      const frame = rawFrame(Buffer.from(`{"request":"health"${' '.repeat(2_000)}}`));
      const startedMs = performance.now();
      for (let at = 0; at < frame.length && !peer.isClosed(); at++) {
        peer.send(frame.subarray(at, at + 1));
        await sleep(1_000);
        if (performance.now() - startedMs > SLOW_PATIENCE_MS) break;
      }
      const kept = !peer.isClosed();
      peer.socket.destroy();
      return kept
        ? `after ${SLOW_PATIENCE_MS} ms one frame of ${frame.length} bytes, sent a byte a second, is still being waited for`
        : null;
    },
  },
  {
    name: 'wrong shapes',
    run: async (_campaign, target) => {
      for (const text of WRONG_SHAPES) {
        const peer = await connected(target);
        peer?.send(frameOf(text));
        const answered =
          peer === null || (await eventually(CLOSE_PATIENCE_MS, () => peer.isClosed() || peer.received().length > 4)) !== null;
        const said = peer?.received().subarray(4).toString() ?? '';
        peer?.socket.destroy();
        if (!answered) return `no answer and no end after ${text.slice(0, 80)}`;
        if (/"ok":true/.test(said)) return `${text.slice(0, 80)} was answered: ${said.slice(0, 80)}`;
        if (/internal\.bug/.test(said)) return `${text.slice(0, 80)} is a bug to it: ${said.slice(0, 120)}`;
      }
      return null;
    },
  },
  { name: 'thousands of connections', run: (campaign, target) => flood(campaign, target, null, () => undefined) },
  { name: 'thousands of bad frames', run: (campaign, target, refused) => flood(campaign, target, Buffer.from('ffffffff', 'hex'), refused) },
  {
    name: 'half-closed',
    run: async (_campaign, target) => {
      for (let left = 30; left > 0; left--) {
        const peer = await connected(target);
        peer?.socket.end(frameOf({ request: 'health' }));
        if (peer !== null && !(await closes(peer))) return 'a connection whose other half is closed stays';
      }
      return null;
    },
  },
  {
    name: 'subscribed and never reading',
    run: async (campaign, target) => {
      const peer = await connected(target);
      if (peer === null) return null;
      peer.socket.pause();
      for (let left = 300; left > 0; left--) peer.send(frameOf({ request: 'subscribe' }));
      await sleep(1_500);
      for (let left = campaign.quick ? 200 : 2_000; left > 0 && !peer.isClosed(); left--) {
        peer.send(frameOf({ request: 'health' }));
        if (left % 50 === 0) await sleep(300);
      }
      peer.socket.destroy();
      return null;
    },
  },
  {
    name: 'deeply nested',
    run: async (_campaign, target) => {
      for (const depth of [100, 3_000, 6_000, 30_000]) {
        const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`;
        const append = `{"request":"audit.append","origin":"nested-${depth}","entries":[{"originSequence":1,"event":{"action":"query_execute","data":{"x":${nested}}}}]}`;
        const queue = `{"request":"audit.queue","event":{"action":"query_execute","data":{"x":${nested}}}}`;
        for (const text of [nested, append, queue]) {
          const peer = await connected(target);
          peer?.send(frameOf(text));
          const answered =
            peer === null || (await eventually(CLOSE_PATIENCE_MS, () => peer.isClosed() || peer.received().length > 4)) !== null;
          const said = peer?.received().subarray(4).toString() ?? '';
          peer?.socket.destroy();
          if (!answered) return `no answer and no end after ${text.slice(0, 30)}, ${depth} deep`;
          if (/internal\.bug/.test(said)) return `${depth} levels are a bug to it: ${said.slice(0, 160)}`;
        }
      }
      return null;
    },
  },
];

const WRONG_SHAPES: readonly string[] = [
  'null',
  '1',
  '"health"',
  '[]',
  '{}',
  '{"request":null}',
  '{"request":"nothing"}',
  '{"request":"health","more":1}',
  '{"request":"rules","offset":-1}',
  '{"request":"rules","offset":1e308}',
  '{"request":"audit.append"}',
  '{"request":"audit.append","origin":"","entries":[]}',
  '{"request":"audit.append","origin":"x","entries":[{"originSequence":1.5,"event":{"action":"start","data":{}}}]}',
  '{"request":"audit.append","origin":"x","entries":[{"originSequence":1,"event":{"action":"process_scan_start","data":{}}}]}',
  '{"request":"audit.append","origin":"x","entries":[{"originSequence":9007199254740993,"event":{"action":"query_execute","data":{}}}]}',
  '{"request":"audit.append","origin":"x","entries":[{"originSequence":1,"event":{"action":"query_execute","data":[]}}]}',
  '{"request":"audit.queue","event":{"action":"stop","data":{}}}',
  '{"__proto__":{"request":"health"}}',
];

/** So many connections as fast as they are taken, each with `bytes` or with nothing. */
async function flood(campaign: Campaign, target: Target, bytes: Buffer | null, refused: (count: number) => void): Promise<string | null> {
  const total = campaign.quick ? 300 : 5_000;
  for (let made = 0; made < total; made += BATCH) {
    const peers = await Promise.all(Array.from({ length: BATCH }, () => connectPeer(target.path, target.user)));
    for (const peer of peers) if (bytes !== null) peer?.send(bytes);
    // Those beyond the bound are closed by the daemon; the others by us.
    await Promise.all(peers.map((peer) => Promise.race([peer?.closed, sleep(bytes === null ? 5 : 500)])));
    for (const peer of peers) peer?.socket.destroy();
    const taken = peers.filter((peer) => peer !== null).length;
    campaign.count('flood connections', taken);
    refused(taken);
  }
  return null;
}

/** Null where the daemon does not let this user in at all. */
async function connected(target: Target): Promise<Peer | null> {
  return connectPeer(target.path, target.user);
}

async function closes(peer: Peer): Promise<boolean> {
  const over = await eventually(CLOSE_PATIENCE_MS, () => peer.isClosed());
  peer.socket.destroy();
  return over !== null;
}
