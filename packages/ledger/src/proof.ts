/**
 * The proof of one entry: the entry, the way from it to the root of a tree, and the signed checkpoint with that root. It
 * is verified with nothing but a key, so that an entry can be shown to somebody who does not have the ledger.
 */
import { SentinelError } from '@sentineld/model/error';
import { canonicalEntry } from './canonical-entry.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { type EntryWithBody, entryFromJson, entryToJson } from './entry-json.ts';
import { membersOf, parseJson } from './json-members.ts';
import { leafHash, verifyInclusion } from './merkle.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';
import type { Proof } from './verify-proof.ts';

export type { EntryWithBody } from './entry-json.ts';
export { verifyProof, type Proof } from './verify-proof.ts';

export const PROOF_FORMAT = 'sentineld-ledger-proof';
const PROOF_VERSION = 1;

/** Bytes of a file with a proof at most. */
export const MAX_PROOF_BYTES: number = 2 * 1024 * 1024;

/**
 * Puts a proof together and looks whether the hashes lead from the entry to the checkpoint; who signed is not looked at.
 * `hashes` are those of `inclusionProver` for leaf `entry.sequence - 1` in the tree of the checkpoint.
 * @throws SentinelError internal.bug where they lead elsewhere; ledger.input for a note that is no checkpoint.
 */
export function makeProof(entry: EntryWithBody, hashes: readonly Uint8Array[], note: string): Proof {
  const index = entry.entry.sequence - 1;
  const { checkpoint } = parseCheckpoint(note);
  if (!verifyInclusion(index, checkpoint.treeSize, leafHash(canonicalEntry(entry.entry)), hashes, checkpoint.rootHash)) {
    throw new SentinelError('internal.bug', {
      message: `The hashes do not lead from entry ${entry.entry.sequence} to the root of ${checkpoint.treeSize} entries.`,
    });
  }
  return { ...entry, index, hashes, note };
}

/** The file: one line of JSON. */
export function formatProof(proof: Proof): string {
  const members = { format: PROOF_FORMAT, version: PROOF_VERSION, entry: entryToJson(proof), tlog_proof: formatTlogProof(proof) };
  return `${JSON.stringify(members)}\n`;
}

/**
 * Reads the text of a file; whether the proof holds is for `verifyProof`.
 * @throws SentinelError ledger.input naming the member or the line that is wrong, or the version that is not known.
 */
export function parseProof(text: string): Proof {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PROOF_BYTES) throw wrongProof(`it has ${bytes} bytes, and at most ${MAX_PROOF_BYTES} are read`);
  const members = membersOf(parseJson(text, wrongProof), 'the proof', wrongProof);
  if (members.value('format') !== PROOF_FORMAT) throw wrongProof(`its \`format\` is not ${PROOF_FORMAT}`);
  const version = members.whole('version');
  if (version !== PROOF_VERSION) throw unknownVersion(version);
  const entry = entryFromJson(members.object('entry'));
  return { ...entry, ...parseTlogProof(members.text('tlog_proof'), wrongProof) };
}

/** The error of a file that is no proof. */
function wrongProof(why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: 'This is no proof of an entry.',
    why,
    hint: 'Take the file whole, as `sentinelcli audit prove` wrote it; docs/ledger-format.md has its form.',
  });
}

function unknownVersion(version: number): SentinelError {
  return new SentinelError('ledger.input', {
    message: `This proof is of version ${version}, which is not known here.`,
    why: `this program knows version ${PROOF_VERSION}`,
    hint: 'Verify it with the sentinel-verify of the release that wrote it, or of a later one.',
    context: { version },
  });
}
