/**
 * What every error of a code has in common: why such a thing is an error, and what helps. An error that knows more
 * about its own case says so instead.
 */
export const ADVICE_BY_CODE = {
  'usage.invalid': { why: 'what is not known is refused; nothing is guessed', hint: '--help lists what is known' },
  'config.unreadable': { why: 'a configuration that cannot be read is never replaced by defaults', hint: 'check its path, owner and mode' },
  'config.invalid': {
    why: 'a setting that is not understood is refused, never ignored',
    hint: 'docs/configuration.md has every key with its default and its form',
  },
  'state.held': { why: 'one process at a time writes there', hint: 'stop the other one first' },
  'state.unusable': { why: 'what is written there must be whole, and safe from other users', hint: 'check its owner, mode and free space' },
  'store.missing': {
    why: 'its writer has not run on this state directory yet',
    hint: 'start it (from a checkout: npx -y pnpm@12.21.0 start), or give --state-dir DIR',
  },
  'store.unreadable': { why: 'this user may not open it, or it is no database', hint: 'ask as its owner, or as a member of its group' },
  'store.too_new': { why: 'a newer release wrote it; a schema is never taken back', hint: 'use that release, or a newer one' },
  'store.pragma': {
    why: 'SQLite did not take a setting that safety rests on',
    hint: 'use a local disk, and the release of Node that package.json names',
  },
  'store.corrupt': {
    why: 'what is read is not what was written',
    hint: 'restore it from a backup, or move it with its -wal and -shm away to start a new one',
  },
  'ledger.broken': {
    why: 'each entry holds the hash of the one before, and here that does not fit',
    hint: 'keep the file as evidence: sentinelcli audit verify names the first entry that fails',
  },
  'ledger.input': {
    why: 'what does not have the form of a proof, an export, a checkpoint or a key proves nothing',
    hint: 'docs/ledger-format.md has the forms; take the file whole, as it was written',
  },
  'query.refused': {
    why: 'one SELECT over the documented tables is run, nothing else',
    hint: 'docs/schema.md has the tables and columns, docs/rules.md what is allowed',
  },
  'query.failed': { why: 'the statement was allowed, and running it ended so', hint: 'ask for less, or change the statement' },
  'privilege.refused': {
    why: 'with other rights than these it would be a danger, so it does not go on',
    hint: 'procmond self-check says what is missing',
  },
  'native.unavailable': { why: 'it needs the native addon, which cannot be loaded here', hint: 'procmond self-check says why' },
  'source.unavailable': {
    why: 'processes are listed by tools of the system, and these told nothing',
    hint: 'try what the message names by hand, as the same user',
  },
  'ipc.unreachable': { why: 'nobody answers on its socket', hint: 'is it running? "sentinelcli health" says what is' },
  'ipc.refused': { why: 'the daemon does not do this for whoever asks', hint: 'sentinelcli health says what state it is in' },
  'ipc.protocol': { why: 'the two sides may be of different releases', hint: 'start the daemons again' },
  'executor.failed': {
    why: 'SQL runs in a confined process of its own, and that one is gone',
    hint: 'try again; procmond self-check says whether this machine can confine it',
  },
  'internal.bug': { why: 'something was met that cannot be', hint: 'please report it with what was done before' },
} as const;
