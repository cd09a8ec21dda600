#!/usr/bin/env node
// Starts the built program, or says how to build it. Node's warning that node:sqlite is experimental is the one thing
// kept from the operator: the release of Node is pinned and tested. Every other warning is shown.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../../../build/programs/sentinelcli.js', import.meta.url);
const path = fileURLToPath(program);

const emitWarning = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (String(warning).startsWith('SQLite is an experimental feature')) return;
  emitWarning.call(process, warning, ...rest);
};

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`sentinelcli: Node ${process.versions.node} is too old: 24 or newer is needed\n`);
  process.exitCode = 4;
} else if (!existsSync(path)) {
  process.stderr.write('sentinelcli: the programs are not built yet\n  run: npx -y pnpm@12.21.0 build\n');
  process.exitCode = 4;
} else {
  process.argv[1] = path;
  await import(program.href);
}
