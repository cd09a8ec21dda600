/**
 * What can be done to a ledger, who can do it, and what notices it: the table of docs/ledger-proofs.md, each row of which
 * is done to a real ledger by the tests beside.
 */

/** From what it is noticed. */
export type Known = 'file' | 'key' | 'checkpoint' | 'head';

export type AttackName =
  | 'edit'
  | 'edit-hashed'
  | 'edit-rehashed'
  | 'delete'
  | 'insert'
  | 'reorder'
  | 'swap-rehashed'
  | 'body'
  | 'body-gone'
  | 'signature'
  | 'tail'
  | 'tail-checkpoints'
  | 'tail-open'
  | 'edit-open'
  | 'append'
  | 'checkpoint-gone'
  | 'empty-epoch-gone'
  | 'epoch-gone'
  | 'own-key'
  | 'same-key'
  | 'newer-key'
  | 'retired-key'
  | 'rollback'
  | 'fork'
  | 'other-host'
  | 'other-entries'
  | 'other-checkpoint'
  | 'seal'
  | 'seal-claimed'
  | 'restore'
  | 'length'
  | 'format-version'
  | 'schema-version';

export type Attack = {
  readonly name: AttackName;
  /** In words for the table. */
  readonly attack: string;
  readonly who: string;
  /** The rule that fails, or the error, by what is known; null: it is not noticed. One word stands for all. */
  readonly noticed: string | Readonly<Record<Known, string | null>>;
  /** Of what is not noticed: what verification says that it cannot show. */
  readonly said?: string;
};

const WHO = {
  file: 'who can write the file',
  key: 'who has the key too',
  oldKey: 'who kept a retired key',
} as const;

const OUTSIDE = { file: null, key: null, checkpoint: 'witness', head: 'witness' } as const;

export const ATTACKS: readonly Attack[] = [
  { name: 'edit', attack: 'An entry is changed', who: WHO.file, noticed: 'payload_hash' },
  { name: 'edit-hashed', attack: 'An entry is changed, its own hashes made right', who: WHO.file, noticed: 'prev_hash' },
  { name: 'edit-rehashed', attack: 'An entry is changed, the hashes of all that follow made right', who: WHO.file, noticed: 'tree' },
  { name: 'delete', attack: 'An entry is removed', who: WHO.file, noticed: 'sequence' },
  { name: 'insert', attack: 'An entry is put between two others, all after it numbered anew', who: WHO.file, noticed: 'prev_hash' },
  { name: 'reorder', attack: 'Two entries change places', who: WHO.file, noticed: 'prev_hash' },
  { name: 'swap-rehashed', attack: 'Two entries change places, all hashes made right', who: WHO.file, noticed: 'tree' },
  { name: 'body', attack: 'Details beside an entry are changed', who: WHO.file, noticed: 'body' },
  { name: 'body-gone', attack: 'Details beside an entry are removed', who: WHO.file, noticed: 'body' },
  { name: 'signature', attack: 'An entry gets a signature that was made up', who: WHO.file, noticed: 'signature' },
  { name: 'tail', attack: 'Entries at the end are removed, checkpoints are left', who: WHO.file, noticed: 'tree' },
  { name: 'tail-checkpoints', attack: 'Entries at the end are removed, and their checkpoints', who: WHO.file, noticed: OUTSIDE },
  {
    name: 'tail-open',
    attack: 'Entries after the newest checkpoint are removed',
    who: WHO.file,
    noticed: { file: null, key: null, checkpoint: null, head: 'witness' },
  },
  {
    name: 'edit-open',
    attack: 'An entry after the newest checkpoint is changed, all hashes made right',
    who: WHO.file,
    noticed: { file: null, key: null, checkpoint: null, head: 'witness' },
    said: 'Who wrote entries 38 to 40: no checkpoint covers them yet.',
  },
  {
    name: 'append',
    attack: 'An entry is put at the end, while procmond is stopped',
    who: WHO.file,
    noticed: { file: null, key: null, checkpoint: null, head: null },
    said: 'Who wrote entries 38 to 41: no checkpoint covers them yet.',
  },
  { name: 'checkpoint-gone', attack: 'The newest checkpoint is removed', who: WHO.file, noticed: 'epoch' },
  {
    name: 'empty-epoch-gone',
    attack: 'The checkpoint of an epoch without entries is removed (CVE-2023-31438 of journald)',
    who: WHO.file,
    noticed: 'epoch',
  },
  { name: 'epoch-gone', attack: 'A whole epoch is removed, all hashes made right', who: WHO.key, noticed: 'epoch' },
  {
    name: 'own-key',
    attack: 'The whole ledger is made anew under a key of their own',
    who: WHO.file,
    noticed: { file: null, key: 'key', checkpoint: 'witness', head: 'witness' },
  },
  { name: 'same-key', attack: 'Entries of the present key are changed, and signed again with it', who: WHO.key, noticed: OUTSIDE },
  {
    name: 'newer-key',
    attack: 'Entries of an older key are changed, and signed with the present one (CVE-2023-31439 of journald)',
    who: WHO.key,
    noticed: 'key',
  },
  { name: 'retired-key', attack: 'A checkpoint is signed with a key after it was retired', who: WHO.oldKey, noticed: 'key' },
  { name: 'rollback', attack: "The file is put back to yesterday's copy", who: WHO.file, noticed: OUTSIDE },
  { name: 'fork', attack: 'The ledger goes on twice from one copy, and the other history is shown', who: WHO.key, noticed: OUTSIDE },
  {
    name: 'other-host',
    attack: 'The ledger of another host is put in its place',
    who: WHO.file,
    noticed: { file: null, key: 'key', checkpoint: 'witness', head: 'witness' },
  },
  { name: 'other-entries', attack: 'Entries of another host take the place of its own', who: WHO.file, noticed: 'prev_hash' },
  { name: 'other-checkpoint', attack: 'A checkpoint of another host takes the place of its own', who: WHO.file, noticed: 'checkpoint' },
  { name: 'seal', attack: 'Old entries are removed under a seal that was made up', who: WHO.file, noticed: 'seal' },
  {
    name: 'seal-claimed',
    attack: 'The same, with an entry at the end that says they were archived',
    who: WHO.file,
    noticed: { file: null, key: null, checkpoint: null, head: null },
    said: 'Whether entries 1 to 16 were archived or removed',
  },
  {
    name: 'restore',
    attack: 'Entries at the end are removed, and an entry says that a backup was put back',
    who: WHO.file,
    noticed: OUTSIDE,
  },
  { name: 'length', attack: 'The length of a row is set to 4 GiB', who: WHO.file, noticed: 'store.corrupt' },
  { name: 'format-version', attack: 'An entry claims a format version that nobody knows', who: WHO.file, noticed: 'format_version' },
  { name: 'schema-version', attack: 'The file claims to be of a newer release', who: WHO.file, noticed: 'store.too_new' },
];

/** What notices an attack, by what is known. */
export function noticedBy({ noticed }: Attack): Readonly<Record<Known, string | null>> {
  return typeof noticed === 'string' ? { file: noticed, key: noticed, checkpoint: noticed, head: noticed } : noticed;
}

/** The table in Markdown. */
export function attackTable(): string {
  const cell = (word: string | null): string => (word === null ? 'no' : `\`${word}\``);
  const rows = ATTACKS.map((attack) => {
    const { file, key, checkpoint, head } = noticedBy(attack);
    return `| ${attack.attack} | ${attack.who} | ${[file, key, checkpoint, head].map(cell).join(' | ')} |`;
  });
  return [
    '| What is done | Who can do it | The file alone | A key kept elsewhere | A checkpoint kept elsewhere | The newest entry, kept elsewhere |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
