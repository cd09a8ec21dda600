#!/usr/bin/env node
// Starts the built program, or says how to build it. The program is told its own path, not this one: where it gives
// up root it starts that file again as another user.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../../../build/programs/sentinelagent.js', import.meta.url);
const path = fileURLToPath(program);

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`sentinelagent: Node ${process.versions.node} is too old: 24 or newer is needed\n`);
  process.exitCode = 4;
} else if (!existsSync(path)) {
  process.stderr.write('sentinelagent: the programs are not built yet\n  run: npx -y pnpm@12.21.0 build\n');
  process.exitCode = 4;
} else {
  process.argv[1] = path;
  await import(program.href);
}
