import { describe, expect, it } from 'vitest';
import { scanSource } from './forbidden-calls.ts';

function rulesIn(text: string, file = 'packages/procmond/src/a.ts'): string[] {
  return [...new Set(scanSource(file, text).map(({ rule }) => rule))];
}

describe('scanSource', () => {
  it.each([
    ['network-global', "await fetch('x');"],
    ['network-global', "await globalThis.fetch('x');"],
    ['network-global', "globalThis['fetch']('x');"],
    ['network-global', 'const { fetch: get } = globalThis;'],
    ['network-global', "new WebSocket('x');"],
    ['network-global', "new EventSource('x');"],
    ['eval', "eval('1');"],
    ['eval', "(0, eval)('1');"],
    ['new-function', "new Function('1');"],
    ['new-function', "Function('1')();"],
    ['new-function', "(() => 1).constructor('1');"],
    ['create-require', "import { createRequire } from 'node:module';"],
    ['create-require', "module.createRequire('x');"],
    ['import-variable', 'await import(name);'],
    ['import-variable', 'await import(`./${name}.ts`);'],
    ['load-extension', "database.loadExtension('x');"],
    ['load-extension', "database['loadExtension']('x');"],
    ['load-extension', 'new DatabaseSync(path, { allowExtension: true });'],
    ['process-binding', "process.binding('x');"],
    ['process-binding', "process.getBuiltinModule('net');"],
    ['process-binding', "import { getBuiltinModule } from 'node:process';"],
    ['process-dlopen', 'process.dlopen(module, path);'],
    ['computed-global', 'globalThis[name]();'],
    ['computed-global', 'process[name]();'],
    ['pino-transport', "pino({ transport: { target: 'x' } });"],
    ['pino-transport', 'pino.transport({});'],
    ['export-star', "export * from './b.ts';"],
    ['export-star', "export * as b from './b.ts';"],
    ['export-star', "export type * from './b.ts';"],
  ])('%s: %s', (rule, text) => {
    expect(rulesIn(text)).toEqual([rule]);
  });

  it('knows a barrel by its name', () => {
    expect(rulesIn('export {};', 'packages/model/src/attack/index.ts')).toEqual(['index-barrel']);
  });

  it('leaves alone what only looks alike', () => {
    expect(
      rulesIn(
        "// fetch eval\nconst a = 'fetch(x)'; cache.fetch(1); type T = { fetch(): void; evaluate: Function }; const o = { fetch: 1 };",
      ),
    ).toEqual([]);
    expect(
      rulesIn(
        "await import('./b.ts'); export { a } from './a.ts'; class A { constructor() {} }; new DatabaseSync(p, { allowExtension: false });",
      ),
    ).toEqual([]);
    expect(rulesIn('log.transport(x); pino({ level: 1 }, stream); rows[name]; valueOf; toString;')).toEqual([]);
  });

  it('lets the agent reach the network, and native load its addon, and neither run text', () => {
    expect(rulesIn("await fetch('x'); await import(name);", 'packages/sentinelagent/src/a.ts')).toEqual([]);
    expect(rulesIn('process.dlopen(module, path);', 'packages/native/src/addon.ts')).toEqual([]);
    expect(rulesIn("await fetch('x');", 'packages/native/src/addon.ts')).toEqual(['network-global']);
    expect(rulesIn("eval('1');", 'packages/sentinelagent/src/a.ts')).toEqual(['eval']);
  });

  it('gives the line', () => {
    expect(scanSource('packages/model/src/a.ts', "\n\nawait fetch('x');")).toEqual([
      {
        rule: 'network-global',
        file: 'packages/model/src/a.ts',
        line: 3,
        message: 'reaches the network; only packages/sentinelagent does',
      },
    ]);
  });
});
