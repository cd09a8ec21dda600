/**
 * Having sentinelagent do what only a running agent can do. Unlike a question of health, that it does not run is an
 * error here.
 */
import { SentinelError, messageOf, type ErrorCode } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';
import type { AnswerSchema } from './daemons.ts';

/** A change waits for the end of a cycle, and one rule may run for as long as its deadline. */
const PATIENCE_MS = 600_000;

const RULES_HINT = 'sentinelcli rules list shows the rules and what is decided about them';

/** Where the request makes no sense. */
const USAGE_HINTS: Readonly<Partial<Record<Request['request'], string>>> = {
  'alerts.ack': 'sentinelcli alerts list shows the numbers',
  'alerts.suppress': 'sentinelcli rules show ID has the query of a rule, alerts suppressions what is suppressed',
  'alerts.unsuppress': 'sentinelcli alerts suppressions shows those that hold, with --all also those that ended',
};

const HINTS: Readonly<Record<string, string>> = {
  'query.refused': 'mend the rule, then sentinelcli rules reload',
  'native.unavailable': 'ask on Linux, where the kernel says who asks',
};

/** The answer, read through its schema. Throws 'ipc.*' where nobody gives one, and what the agent says where it refuses. */
export async function requireAgent<Body>(paths: StatePaths, request: Request, schema: AnswerSchema<Body>): Promise<Body> {
  const path = paths.agentSocket;
  let answer: unknown;
  try {
    answer = await askOnce(path, request, PATIENCE_MS);
  } catch (cause) {
    throw cause instanceof SentinelError ? demandError(cause, path, request) : cause;
  }
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new SentinelError('ipc.protocol', { message: `sentinelagent answered ${request.request} in a form that is not known` });
}

function demandError(cause: SentinelError, path: string, request: Request): SentinelError {
  if (cause.code === 'ipc.refused') return refusalError(cause, request);
  const errno = cause.context['errno'];
  const isAbsent = errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR';
  if (!isAbsent && errno !== 'EACCES' && errno !== 'EPERM') return cause;
  return new SentinelError('ipc.unreachable', {
    message: isAbsent ? 'sentinelagent does not run here' : 'this user may not ask sentinelagent',
    why: isAbsent ? `nobody listens on ${path}` : `this user may not ask on ${path}`,
    hint: isAbsent
      ? 'start it (from a checkout: npx -y pnpm@12.21.0 start), or give --state-dir DIR'
      : 'ask as root, or as one of its operators',
    context: cause.context,
  });
}

/** What is wrong with the request itself is the asker's to mend; everything else is between the agent and its host. */
function refusalError(cause: SentinelError, { request }: Request): SentinelError {
  const said = String(cause.context['code']);
  const code: ErrorCode = said === 'usage.invalid' || said === 'query.refused' ? said : 'ipc.refused';
  return new SentinelError(code, {
    message: 'sentinelagent refuses it',
    why: messageOf(cause),
    hint: (said === 'usage.invalid' ? (USAGE_HINTS[request] ?? RULES_HINT) : HINTS[said]) ?? 'sentinelcli health says what state it is in',
    context: cause.context,
  });
}
