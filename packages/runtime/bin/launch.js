// Starts a built program, or says in three lines what keeps it from being started. The launchers of all programs come
// through here, also on a Node that is too old for the programs, so nothing here is newer than Node 18.
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LEAST_NODE = 24;

/**
 * Runs build/programs/NAME.js in this process. The program is told its own path, not the launcher's: where it gives up
 * root it starts that file again as another user. Where it cannot be started, the exit status is 4.
 */
export async function launch(name) {
  const program = new URL(`../../../build/programs/${name}.js`, import.meta.url);
  const path = fileURLToPath(program);
  const problem = problemOf(path);
  if (problem !== null) {
    process.stderr.write(`${name}: ${problem.join('\n  ')}\n`);
    process.exitCode = 4;
    return;
  }
  process.argv[1] = path;
  await import(program.href);
}

/**
 * What keeps the program from being started: what, why, what to do; null where nothing does.
 * @param {string} path
 */
function problemOf(path) {
  if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
    return [
      `Node ${process.versions.node} is too old`,
      `it needs ${LEAST_NODE} or newer`,
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
