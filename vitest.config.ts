import { defineConfig } from 'vitest/config';

/** Those that take longest, at the beginning: one that starts last is waited for by the other worker. */
const LONG = ['fault/fault', 'redact-properties', 'sql/regexp', 'sql-fuzz', 'merkle'];

type TestFile = { readonly moduleId: string };

class LongestFirst {
  shard<File extends TestFile>(files: File[]): File[] {
    return files;
  }

  sort<File extends TestFile>(files: File[]): File[] {
    const first = LONG.flatMap((name) => files.filter(({ moduleId }) => moduleId.endsWith(`${name}.test.ts`)));
    return [...first, ...files.filter((file) => !first.includes(file))];
  }
}

// Tests run the TypeScript sources; the whole-system tests in packages/testing/src/e2e start the built programs.
export default defineConfig({
  ssr: { resolve: { conditions: ['sentineld-source', 'node', 'import', 'default'] } },
  resolve: { conditions: ['sentineld-source', 'node', 'import', 'default'] },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
    pool: 'forks',
    // On two cores: many of these tests wait for programs and clocks, the faults for most of their time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // How long a poll may wait on a busy machine; what it waits for usually comes at once.
    expect: { poll: { timeout: 20_000 } },
    coverage: {
      provider: 'v8',
      reporter: ['text-summary'],
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/fixtures/**', '**/*.fixture.ts', 'packages/testing/**'],
    },
  },
});
