import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SYSTEM_STATE_DIR, configHome, defaultStateDir, statePaths } from './state-dir.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-state-'));
  chmodSync(directory, 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('configHome', () => {
  it('is $XDG_CONFIG_HOME, or .config at home, or nowhere', () => {
    expect(configHome({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe('/x');
    expect(configHome({ HOME: '/h' })).toBe('/h/.config');
    // The specification says that relative paths are to be ignored.
    expect(configHome({ XDG_CONFIG_HOME: 'x', HOME: '/h' })).toBe('/h/.config');
    expect(configHome({ XDG_CONFIG_HOME: '', HOME: 'h' })).toBeNull();
    expect(configHome({})).toBeNull();
  });
});

describe("a user's default state directory", () => {
  const state = (environment: Record<string, string>): string => defaultStateDir(environment, 1000);

  it('is the one of their own, made or, without a system installation, not made yet', () => {
    const own = join(directory, 'sentineld');
    expect(state({ XDG_STATE_HOME: directory })).toBe(existsSync(SYSTEM_STATE_DIR) ? SYSTEM_STATE_DIR : own);
    mkdirSync(own);
    expect(state({ XDG_STATE_HOME: directory })).toBe(own);
  });

  it('is their own where they write, whatever root has installed', () => {
    expect(defaultStateDir({ XDG_STATE_HOME: directory }, 1000, 'write')).toBe(join(directory, 'sentineld'));
  });

  it('lies below the home where XDG says nothing', () => {
    mkdirSync(join(directory, '.local/state/sentineld'), { recursive: true });
    expect(state({ HOME: directory })).toBe(join(directory, '.local/state/sentineld'));
  });

  it("is the system's without a home", () => {
    expect(state({})).toBe(SYSTEM_STATE_DIR);
    expect(state({ HOME: 'relative' })).toBe(SYSTEM_STATE_DIR);
  });
});

describe("root's default state directory", () => {
  const state = (environment: Record<string, string>): string => defaultStateDir(environment, 0);

  it('is its own where anybody can pass through', () => {
    expect(state({ XDG_STATE_HOME: directory })).toBe(join(directory, 'sentineld'));
    mkdirSync(join(directory, 'sentineld'));
    expect(state({ XDG_STATE_HOME: directory })).toBe(join(directory, 'sentineld'));
  });

  it.each(['.', 'home', 'home/sentineld'])("is the system's where %s is closed", (closed) => {
    mkdirSync(join(directory, 'home/sentineld'), { recursive: true });
    chmodSync(join(directory, closed), 0o750);
    expect(state({ XDG_STATE_HOME: join(directory, 'home') })).toBe(SYSTEM_STATE_DIR);
    chmodSync(join(directory, closed), 0o755);
    expect(state({ XDG_STATE_HOME: join(directory, 'home') })).toBe(join(directory, 'home/sentineld'));
  });

  it('looks at what a link leads to', () => {
    mkdirSync(join(directory, 'closed'), { mode: 0o700 });
    symlinkSync('closed', join(directory, 'link'));
    expect(state({ XDG_STATE_HOME: join(directory, 'link') })).toBe(SYSTEM_STATE_DIR);
  });

  it("is the system's without a home", () => {
    expect(state({})).toBe(SYSTEM_STATE_DIR);
  });
});

describe('statePaths', () => {
  it("puts each database and each daemon's socket into a directory of its own", () => {
    const paths = statePaths('/s');
    const directories = [paths.eventsDir, paths.ledgerDir, paths.agentDir, paths.logDir, paths.procmondRunDir, paths.agentRunDir];
    expect(new Set(directories).size).toBe(6);
    expect(Object.values(paths).every((path) => path === '/s' || path.startsWith('/s/'))).toBe(true);
    expect([paths.eventsDb, paths.ledgerDb, paths.agentDb]).toEqual(['/s/events/events.db', '/s/ledger/ledger.db', '/s/agent/agent.db']);
    expect([paths.procmondSocket, paths.procmondAgentSocket].every((path) => path.startsWith(`${paths.procmondRunDir}/`))).toBe(true);
    expect(paths.agentSocket.startsWith(`${paths.agentRunDir}/`)).toBe(true);
  });
});
