/**
 * The configuration: every key with its meaning, its default and its check. A key that is not here is an error.
 */
import { z } from 'zod';
import { formatDuration, formatSize, parseDuration, parseSize } from './quantity.ts';

export const EVENT_SOURCES = ['auto', 'kernel', 'trace', 'off'] as const;
export const QUEUE_POLICIES = ['drop-oldest', 'block-with-timeout', 'spill-to-disk', 'adaptive-throttling'] as const;
export type QueuePolicy = (typeof QUEUE_POLICIES)[number];

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Durations are milliseconds and sizes are bytes once they are read; in a file they are written '2s', '64MiB'. */
export type Config = {
  /** Directory that holds the databases and the sockets. */
  readonly state_dir: string;
  readonly log: { readonly level: LogLevel };
  readonly collection: {
    /** Time from the start of one scan to the start of the next. */
    readonly interval: number;
    /** Bytes of a process's arguments that are kept. */
    readonly argv_limit: number;
    /** Whether executables are hashed. */
    readonly hash: boolean;
    /** Larger executables are not hashed. */
    readonly hash_file_limit: number;
    /** Bytes that are hashed in a second at most. */
    readonly hash_rate: number;
    /** How execs and exits between scans are seen: the kernel's process connector, a trace instance, or not at all; auto takes the first that works. */
    readonly events: (typeof EVENT_SOURCES)[number];
    readonly queue: {
      /** Events that wait to be stored at most. */
      readonly limit: number;
      /** What becomes of an event that finds the queue full. */
      readonly policy: QueuePolicy;
      /** How long block-with-timeout waits for room before it drops. */
      readonly timeout: number;
      /** Bytes of spill files at most, under spill-to-disk. */
      readonly spill_limit: number;
    };
    readonly redact: {
      /** Whether secrets in arguments are replaced before anything is stored. */
      readonly enabled: boolean;
      /** Names of options and variables whose value is a secret, beside the built-in ones; case, - and _ do not matter. */
      readonly names: readonly string[];
      /** Regular expressions; what they match in the first 4096 characters of an argument, or their first group where they have one, is replaced. */
      readonly patterns: readonly string[];
    };
    readonly budget: {
      /** Per cent of one core that procmond may use in the long run. */
      readonly cpu: number;
      /** Resident memory that procmond may use. */
      readonly memory: number;
    };
  };
  readonly storage: {
    /** Processes and events that ended longer ago are deleted. */
    readonly retention_age: number;
    /** Size of events.db beyond which the oldest are deleted. */
    readonly retention_size: number;
    /** Size of the write-ahead log at which storing pauses until the reader that holds it lets go. */
    readonly wal_limit: number;
  };
  readonly ledger: {
    /** Time from one signed checkpoint of the ledger to the next, whether or not anything was recorded. */
    readonly checkpoint_interval: number;
    /** Entries after which a checkpoint is made before its time. */
    readonly checkpoint_entries: number;
    /** Whether each entry is signed too, and not only the checkpoints. */
    readonly sign_entries: boolean;
    /** Files to which procmond appends each checkpoint, as JSON lines; best on another disk than the ledger. It waits for that disk, so not on a network mount that may hang. */
    readonly mirror: readonly string[];
  };
  readonly detection: {
    /** Directories of YAML rules, beside the built-in ones. */
    readonly rules_dirs: readonly string[];
    /** Wall-clock time that one rule may take. */
    readonly deadline: number;
    /** Memory that one rule may use. */
    readonly memory: number;
    /** Result rows of one rule at most. */
    readonly row_limit: number;
    /** Ids of rules that are not run. */
    readonly disabled_rules: readonly string[];
  };
  readonly alerting: {
    /** A finding that was last seen within this time is counted, not alerted again. */
    readonly dedup_window: number;
    readonly stdout: { readonly enabled: boolean; readonly format: 'text' | 'json' };
    readonly file: {
      readonly enabled: boolean;
      /** The file; empty: agent/alerts.jsonl in the state directory. */
      readonly path: string;
    };
  };
  readonly privileges: {
    /** User that procmond becomes when it is started as root; where it does not exist, an unused uid is taken. */
    readonly collector_user: string;
    /** User that sentinelagent becomes when it is started as root. */
    readonly agent_user: string;
    /** Group that may read events and alerts and ask the daemons. */
    readonly operators_group: string;
    /** Group that may read the ledger. */
    readonly auditors_group: string;
  };
};

export const DEFAULTS: Config = {
  state_dir: '',
  log: { level: 'info' },
  collection: {
    interval: 30_000,
    argv_limit: 131_072,
    hash: true,
    hash_file_limit: 268_435_456,
    hash_rate: 33_554_432,
    events: 'auto',
    queue: { limit: 10_000, policy: 'spill-to-disk', timeout: 5000, spill_limit: 67_108_864 },
    redact: { enabled: true, names: [], patterns: [] },
    budget: { cpu: 5, memory: 104_857_600 },
  },
  storage: { retention_age: 30 * 86_400_000, retention_size: 2_147_483_648, wal_limit: 67_108_864 },
  ledger: { checkpoint_interval: 60_000, checkpoint_entries: 1024, sign_entries: false, mirror: [] },
  detection: { rules_dirs: [], deadline: 30_000, memory: 67_108_864, row_limit: 1000, disabled_rules: [] },
  alerting: {
    dedup_window: 3_600_000,
    stdout: { enabled: true, format: 'text' },
    file: { enabled: true, path: '' },
  },
  privileges: {
    collector_user: 'sentineld-mon',
    agent_user: 'sentineld-agent',
    operators_group: 'sentineld',
    auditors_group: 'sentineld-audit',
  },
};

const duration = (minimumMs: number, maximumMs: number): z.ZodType<number> =>
  quantity('a duration such as 500ms, 2s or 5m', { parse: parseDuration, format: formatDuration }, minimumMs, maximumMs);
const size = (minimumBytes: number, maximumBytes: number): z.ZodType<number> =>
  quantity('a size such as 64KiB or 64MiB', { parse: parseSize, format: formatSize }, minimumBytes, maximumBytes);
const PATH_FORM = 'must be an absolute path, one that begins with /';
const absolutePath = z
  .string({ error: PATH_FORM })
  .refine((path) => path === '' || path.startsWith('/'), { error: PATH_FORM })
  .refine((path) => !path.includes('\0'), { error: 'must not hold the character NUL' });
const filePath = absolutePath.min(1, { error: PATH_FORM });
const ACCOUNT_FORM = 'must be the name of a user or group';
const accountName = z.string({ error: ACCOUNT_FORM }).regex(/^[a-z_][a-z0-9_-]{0,31}$/, { error: ACCOUNT_FORM });
const SECRET_NAME_FORM = 'must be a name such as api-key: a letter, then letters, digits, - _ or .';
const regularExpression = z
  .string({ error: 'must be a regular expression' })
  .max(500, { error: 'must have 500 characters at most' })
  .superRefine((source, context) => {
    if (!isRegularExpression(source)) context.addIssue({ code: 'custom', message: 'must be a regular expression of JavaScript' });
  });
const yesOrNo = z.boolean({ error: 'must be true or false' });

function oneOf<const Word extends string>(words: readonly Word[]): z.ZodType<Word> {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}

function wholeNumber(least: number, most: number): z.ZodType<number> {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function listOf<Item>(item: z.ZodType<Item>, most: number): z.ZodType<Item[]> {
  return z.array(item, { error: 'must be a list, for instance [a, b]' }).max(most, { error: `must have ${most} entries at most` });
}

/** Checks one merged layer stack and turns written quantities into numbers. */
export const ConfigSchema: z.ZodType<Config> = z.strictObject({
  state_dir: absolutePath,
  log: z.strictObject({ level: oneOf(LOG_LEVELS) }),
  collection: z.strictObject({
    interval: duration(500, 3_600_000),
    argv_limit: size(4096, 131_072),
    hash: yesOrNo,
    hash_file_limit: size(1, 17_179_869_184),
    hash_rate: size(65_536, 17_179_869_184),
    events: oneOf(EVENT_SOURCES),
    queue: z.strictObject({
      limit: wholeNumber(100, 1_000_000),
      policy: oneOf(QUEUE_POLICIES),
      timeout: duration(0, 60_000),
      spill_limit: size(1_048_576, 17_179_869_184),
    }),
    redact: z.strictObject({
      enabled: yesOrNo,
      names: listOf(z.string({ error: SECRET_NAME_FORM }).regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, { error: SECRET_NAME_FORM }), 1000),
      patterns: listOf(regularExpression, 100),
    }),
    budget: z.strictObject({ cpu: wholeNumber(1, 100), memory: size(52_428_800, 17_179_869_184) }),
  }),
  storage: z.strictObject({
    retention_age: duration(3_600_000, 3650 * 86_400_000),
    retention_size: size(16_777_216, 1_099_511_627_776),
    wal_limit: size(8_388_608, 17_179_869_184),
  }),
  ledger: z.strictObject({
    checkpoint_interval: duration(1000, 86_400_000),
    checkpoint_entries: wholeNumber(1, 100_000),
    sign_entries: yesOrNo,
    mirror: listOf(filePath, 8).refine((paths) => new Set(paths).size === paths.length, { error: 'must not name a file twice' }),
  }),
  detection: z.strictObject({
    rules_dirs: listOf(absolutePath, 64),
    deadline: duration(100, 300_000),
    memory: size(16_777_216, 1_073_741_824),
    row_limit: wholeNumber(1, 100_000),
    disabled_rules: listOf(z.string({ error: 'must be the id of a rule' }).max(128), 10_000),
  }),
  alerting: z.strictObject({
    dedup_window: duration(0, 31 * 86_400_000),
    stdout: z.strictObject({ enabled: yesOrNo, format: oneOf(['text', 'json']) }),
    file: z.strictObject({ enabled: yesOrNo, path: absolutePath }),
  }),
  privileges: z.strictObject({
    collector_user: accountName,
    agent_user: accountName,
    operators_group: accountName,
    auditors_group: accountName,
  }),
});

type Notation = { readonly parse: (text: string) => number | null; readonly format: (value: number) => string };

function quantity(form: string, { parse, format }: Notation, minimum: number, maximum: number): z.ZodType<number> {
  return z.union([z.number(), z.string()], { error: `must be ${form}` }).transform((written, context) => {
    // A number comes from the defaults alone: in a file a quantity has a unit.
    const value = typeof written === 'number' ? written : parse(written);
    if (value === null) {
      context.addIssue({ code: 'custom', message: `must be ${form}` });
      return z.NEVER;
    }
    if (value < minimum || value > maximum) {
      context.addIssue({ code: 'custom', message: `must be from ${format(minimum)} to ${format(maximum)}` });
      return z.NEVER;
    }
    return value;
  });
}

function isRegularExpression(source: string): boolean {
  try {
    return new RegExp(source, 'dg').global;
  } catch {
    return false;
  }
}
