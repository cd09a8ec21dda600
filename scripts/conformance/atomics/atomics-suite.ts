/**
 * The suite `atomics`: published attack techniques done for real, watched by the built daemons with published Sigma rules.
 * Most of their processes live for some milliseconds. It passes where the rules of at least 14 of the 18 techniques that
 * have any fire; what scans alone see of them is printed beside it.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { programPath } from '../programs.ts';
import { caseOf, type CaseResult, type Suite, type SuiteContext } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { runAtomic, whyNoAtomics, type Atomic } from './run-atomic.ts';
import { startWatchedHost } from './watched-host.ts';

const ATOMICS = 'atomics/atomics.json';
const RULES = 'sigma/rules';
const AT_LEAST = 14;

export const atomicsSuite: Suite = {
  name: 'atomics',
  summary: 'attack techniques done for real have the rules fire that they have to; as root',
  needs: [ATOMICS, RULES],
  needsPrograms: true,
  run: runAtomics,
};

type Tried = { readonly atomic: Atomic; readonly fired: readonly string[]; readonly missing: readonly string[] };

/** The techniques, once with each of these sources of events. */
async function* runAtomics(context: SuiteContext): AsyncGenerator<CaseResult> {
  const why = whyNoAtomics();
  if (why !== null) {
    yield caseOf('atomics', `not run: ${why}`);
    return;
  }
  using home = temporaryDirectory('conformance-atomics', { open: true });
  const rules = join(home.path, 'rules');
  convertRules(context, rules);
  const atomics = JSON.parse(readFileSync(join(context.corpora, ATOMICS), 'utf8')) as readonly Atomic[];
  const ids = idsByName(context.corpora);
  const counts: Record<string, number> = {};
  for (const events of ['kernel', 'off'] as const) {
    const host = await startWatchedHost({ programs: context.programs, directory: home.path, rules, events });
    try {
      let before = host.fired();
      let whole = 0;
      for (const atomic of atomics) {
        runAtomic(atomic);
        await host.caughtUp();
        const after = host.fired();
        const tried = judge(atomic, ids, before, after);
        before = after;
        if (atomic.expect_child.length > 0 && tried.missing.length === 0) whole += 1;
        if (events === 'kernel') yield caseOf(atomic.id, undefined, { name: atomic.name, fired: tried.fired, missing: tried.missing });
      }
      counts[events] = whole;
    } finally {
      await host.stop();
    }
  }
  const expecting = atomics.filter(({ expect_child: expected }) => expected.length > 0).length;
  const { kernel = 0, off = 0 } = counts;
  const problem = kernel < AT_LEAST ? `the expected rules fire for ${kernel} of ${expecting} techniques, not for ${AT_LEAST}` : undefined;
  yield caseOf('techniques whose rules fire', problem, {
    techniques: expecting,
    withEvents: kernel,
    withScansAlone: off,
  });
}

function judge(
  atomic: Atomic,
  ids: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Tried {
  const hasFired = (name: string): boolean => {
    const id = ids.get(name) ?? '';
    return (after.get(id) ?? 0) > (before.get(id) ?? 0);
  };
  const { expect_child: expected } = atomic;
  return { atomic, fired: expected.filter(hasFired), missing: expected.filter((name) => !hasFired(name)) };
}

/** Some cannot be converted, which the command says with its status; those that are expected here can. */
function convertRules({ corpora, programs }: SuiteContext, out: string): void {
  const words = [programPath(programs, 'sentinelcli'), 'rules', 'import', '--format', 'sigma', join(corpora, RULES), '--out', out];
  const { stdout, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...words], { encoding: 'utf8' });
  if (!/ converted into /.test(stdout)) throw new Error(`no rule was converted: ${stderr}`);
}

/** Ids of Sigma rules by the names of their files, which are what techniques name. */
function idsByName(corpora: string): ReadonlyMap<string, string> {
  const files = globSync(join(corpora, RULES, '*.yml'));
  return new Map(files.map((file) => [basename(file, '.yml'), /^id:\s*(\S+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '']));
}
