/**
 * Which processes stand between a person's shell and this one: npx, pnpm and the shells that they use. When one of
 * them dies the others are not told, so each is watched.
 */
import { parentAndArgumentsOf } from '@sentineld/runtime/lifecycle/process-identity';

const LAUNCHER = /(^|[/ ])(npx|npm|pnpm)([-.@ ][^/]*)?$/;
const MAX_DEPTH = 16;

type Look = (pid: number) => { readonly ppid: number; readonly argv: readonly string[] } | null;

/** Pids of the launchers above `pid`, nearest first; the direct parent is always among them. */
export function launchersAbove(pid: number, look: Look = parentAndArgumentsOf): readonly number[] {
  const launchers: number[] = [];
  let at = look(pid)?.ppid ?? 0;
  for (let depth = 0; depth < MAX_DEPTH && at > 1; depth++) {
    const ancestor = look(at);
    if (ancestor === null || (depth > 0 && !isLauncher(ancestor.argv))) break;
    launchers.push(at);
    at = ancestor.ppid;
  }
  return launchers;
}

/** `sh -c` is what launchers run their scripts with. */
function isLauncher(argv: readonly string[]): boolean {
  const isScriptShell = /(^|\/)(ba|da)?sh$/.test(argv[0] ?? '') && argv[1] === '-c';
  return isScriptShell || argv.slice(0, 3).some((argument) => LAUNCHER.test(argument) || /\/(npm|pnpm)\/(bin|dist)\//.test(argument));
}
