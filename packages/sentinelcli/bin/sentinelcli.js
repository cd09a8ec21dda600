#!/usr/bin/env node
// Starts the built program, or says how to build it. Node's warning that node:sqlite is experimental is the one thing
// kept from the operator: the release of Node is pinned and tested. Every other warning is shown.
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../../../build/programs/sentinelcli.js', import.meta.url);
const path = fileURLToPath(program);

const emitWarning = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (String(warning).startsWith('SQLite is an experimental feature')) return;
  emitWarning.call(process, warning, ...rest);
};

/** What keeps the program from being started, in three lines; null where nothing does. */
function problem() {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    return [
      `Node ${process.versions.node} is too old`,
      'it needs 24 or newer',
      'npx -y pnpm@12.21.0 install brings one into node_modules/.bin',
    ];
  }
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch (cause) {
    if (cause.code === 'ENOENT')
      return ['the programs are not built yet', `there is no ${path}`, 'in the checkout: npx -y pnpm@12.21.0 build'];
    return [
      'the programs may not be read by this user',
      `${path}: ${cause.code}`,
      'use a checkout of your own, or have its owner open it: chmod -R a+rX',
    ];
  }
}

const told = problem();
if (told === null) {
  process.argv[1] = path;
  await import(program.href);
} else {
  process.stderr.write(`sentinelcli: ${told.join('\n  ')}\n`);
  process.exitCode = 4;
}
