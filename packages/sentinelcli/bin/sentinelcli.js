#!/usr/bin/env node
// Starts the built program, or says how to build it. Node's warning that node:sqlite is experimental is the one thing
// kept from the operator: the release of Node is pinned and tested. Every other warning is shown.
import { launch } from '../../runtime/bin/launch.js';

const emitWarning = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (String(warning).startsWith('SQLite is an experimental feature')) return;
  emitWarning.call(process, warning, ...rest);
};

await launch('sentinelcli');
