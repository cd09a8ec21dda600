/**
 * Arguments out of a command line of Windows. There a process gets one text and splits it itself; this is how programs of
 * Microsoft's C run-time do it, and with them nearly all. A program that splits otherwise sees other arguments.
 */

const SPACE = 32;
const TAB = 9;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Splits as the C run-time does. The program's name ends at a space, or where it is quoted at the quote, and knows no
 * backslashes. Later, 2n backslashes before a quote are n, and the quote begins or ends a quoted part; 2n+1 are n and the
 * quote itself; two quotes within a quoted part are one quote; backslashes before anything else are themselves.
 */
export function splitWindowsCommandLine(command: string): string[] {
  const argv: string[] = [];
  const program = programEnd(command);
  argv.push(command.slice(0, program).replaceAll('"', ''));
  let at = program;
  for (;;) {
    while (isBlank(command.charCodeAt(at))) at++;
    if (at >= command.length) return argv;
    const argument = readArgument(command, at);
    argv.push(argument.text);
    at = argument.end;
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function programEnd(command: string): number {
  let isQuoted = false;
  let at = 0;
  for (; at < command.length; at++) {
    const code = command.charCodeAt(at);
    if (code === QUOTE) isQuoted = !isQuoted;
    else if (!isQuoted && isBlank(code)) break;
  }
  return at;
}

function readArgument(command: string, start: number): { readonly text: string; readonly end: number } {
  const parts: string[] = [];
  let isQuoted = false;
  let at = start;
  while (at < command.length) {
    const code = command.charCodeAt(at);
    if (!isQuoted && isBlank(code)) break;
    if (code === BACKSLASH) {
      const run = backslashesAt(command, at);
      const isBeforeQuote = command.charCodeAt(at + run) === QUOTE;
      parts.push('\\'.repeat(isBeforeQuote ? run >> 1 : run));
      at += run;
      if (!isBeforeQuote || run % 2 === 0) continue;
      parts.push('"');
    } else if (code !== QUOTE) {
      parts.push(command[at] ?? '');
    } else if (isQuoted && command.charCodeAt(at + 1) === QUOTE) {
      parts.push('"');
      at++;
    } else {
      isQuoted = !isQuoted;
    }
    at++;
  }
  return { text: parts.join(''), end: at };
}

function backslashesAt(command: string, start: number): number {
  let at = start;
  while (command.charCodeAt(at) === BACKSLASH) at++;
  return at - start;
}
