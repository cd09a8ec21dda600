/**
 * `procmond self-check`: tries what procmond needs of this machine and says what works, what is reduced and what to do.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { SentinelError, messageOf, reasonOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { loadNative } from '@sentineld/native/addon';
import { loadConfig, type LoadOptions } from '@sentineld/runtime/config/load';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { threadPrivileges } from '@sentineld/runtime/lifecycle/privileges';
import { readHolder } from '@sentineld/runtime/lifecycle/state-lock';
import { startTicksOf } from '@sentineld/runtime/lifecycle/process-identity';
import { VERSION } from '@sentineld/runtime/version';
import { readHostFacts } from './host-facts.ts';
import { closeEvents, openEvents } from './events/open-events.ts';
import { hidesOtherUsers } from './sources/kernel-constants.ts';
import { createLinuxProcSource } from './sources/linux-proc.ts';

type Finding = { readonly state: 'ok' | 'reduced' | 'failed'; readonly what: string; readonly hint?: string; readonly detail?: string };

/** Prints the findings; returns the exit status: 0, or 1 where something that is needed does not work. */
export function selfCheck(load: LoadOptions, verbose: boolean, print: (text: string) => void): number {
  const facts = readHostFacts();
  print(`System Diagnostics: procmond ${VERSION}, Node ${process.versions.node}, ${facts.osName} ${facts.osVersion}\n`);
  const findings = [
    configuration(load),
    stateDirectory(load),
    procFileSystem(),
    privileges(),
    addon(),
    setpriv(),
    accounts(load),
    events(),
    scan(),
  ];
  for (const finding of findings) {
    print(`  ${{ ok: 'ok      ', reduced: 'reduced ', failed: 'FAILED  ' }[finding.state]} ${displayHostText(finding.what)}\n`);
    if (verbose && finding.detail !== undefined) print(`           ${displayHostText(finding.detail)}\n`);
    if (finding.hint !== undefined) print(`           -> ${displayHostText(finding.hint)}\n`);
  }
  return findings.some((finding) => finding.state === 'failed') ? 1 : 0;
}

function attempt(what: string, work: () => Finding): Finding {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof SentinelError)) return { state: 'failed', what: `${what}: ${messageOf(cause)}` };
    return { state: 'failed', what: `${what}: ${cause.message}: ${cause.why}`, hint: cause.hint };
  }
}

function configuration(load: LoadOptions): Finding {
  return attempt('configuration', () => {
    const { files, hash } = loadConfig(load);
    return { state: 'ok', what: `configuration: ${files.length === 0 ? 'defaults, no file' : files.join(', ')}`, detail: `sha256 ${hash}` };
  });
}

function stateDirectory(load: LoadOptions): Finding {
  return attempt('state directory', () => {
    const { config } = loadConfig(load);
    const paths = statePaths(config.state_dir);
    const holder = readHolder(`${paths.eventsDir}/procmond.lock`);
    if (holder !== null && startTicksOf(holder.pid) === holder.startTicks) {
      return { state: 'ok', what: `state directory: ${paths.root}, in use by procmond, pid ${holder.pid}` };
    }
    let at = paths.root;
    while (!existsSync(at)) at = at.slice(0, at.lastIndexOf('/')) || '/';
    try {
      accessSync(at, constants.W_OK);
    } catch (cause) {
      const what = `state directory: ${at} cannot be written: ${reasonOf(cause)}`;
      return { state: 'failed', what, hint: 'give another one with --state-dir DIR, or start as root' };
    }
    return { state: 'ok', what: `state directory: ${paths.root}${at === paths.root ? '' : ' (will be made)'}` };
  });
}

function procFileSystem(): Finding {
  return attempt('/proc', () => {
    if (!hidesOtherUsers()) return { state: 'ok', what: '/proc: readable, nothing hidden' };
    return {
      state: 'reduced',
      what: "/proc: mounted with hidepid, other users' processes do not show",
      hint: 'start as root, or mount with gid= of the operators',
    };
  });
}

function privileges(): Finding {
  return attempt('privileges', () => {
    const threads = threadPrivileges();
    const effective = threads[0]?.effective ?? 0n;
    const detail = `uid ${process.getuid?.() ?? -1}, effective capabilities 0x${effective.toString(16)}, ${threads.length} threads`;
    if (process.getuid?.() === 0) return { state: 'ok', what: 'privileges: root, given up before anything is collected', detail };
    if ((effective & (1n << 19n)) !== 0n) return { state: 'ok', what: 'privileges: CAP_SYS_PTRACE', detail };
    return {
      state: 'reduced',
      what: "privileges: none; executables of other users' processes are withheld",
      hint: 'start as root to see them',
      detail,
    };
  });
}

function addon(): Finding {
  const loaded = loadNative();
  if (loaded.available) return { state: 'ok', what: 'native addon: loaded (peer credentials, sd_notify, seccomp)' };
  return {
    state: 'reduced',
    what: `native addon: ${loaded.reason}`,
    hint: 'without it no entries of the agent or the CLI are recorded, and system calls stay open',
  };
}

function setpriv(): Finding {
  if (existsSync('/usr/bin/setpriv') || existsSync('/bin/setpriv')) return { state: 'ok', what: 'setpriv: present' };
  return {
    state: process.getuid?.() === 0 ? 'failed' : 'reduced',
    what: 'setpriv: missing, so root cannot be given up',
    hint: 'apt-get install util-linux',
  };
}

function accounts(load: LoadOptions): Finding {
  return attempt('accounts', () => {
    const found = daemonAccounts(loadConfig(load).config);
    const what = `accounts: started as root, procmond becomes uid ${found.collectorUid}, sentinelagent uid ${found.agentUid}`;
    return found.configured ? { state: 'ok', what } : { state: 'ok', what: `${what} (spare ids: the configured users do not exist)` };
  });
}

/** The trace instance is not tried: opening it would reset that of a procmond that runs. */
function events(): Finding {
  try {
    closeEvents(openEvents('kernel'));
    return { state: 'ok', what: "events: every exec and exit, from the kernel's process connector" };
  } catch (cause) {
    const reason = cause instanceof SentinelError ? cause.why : messageOf(cause);
    return {
      state: 'reduced',
      what: `events: not from the kernel: ${reason}`,
      hint: 'as root a trace instance is tried next, where tracefs is mounted',
    };
  }
}

function scan(): Finding {
  return attempt('scan', () => {
    const addon = loadNative();
    const source = createLinuxProcSource({
      openFileLimit: 1024,
      argvLimitBytes: 131_072,
      redact: (argv) => ({ argv, redacted: 0 }),
      native: addon.available ? addon.native : null,
    });
    const { processes, coverage, durationMs } = source.scan();
    source.close();
    const what = `scan: ${processes.length} processes in ${durationMs.toFixed(1)} ms, found by polling`;
    const detail = `${coverage.accessible} fully visible, ${coverage.vanished} vanished, ${coverage.errors} errors`;
    return coverage.reason === null ? { state: 'ok', what, detail } : { state: 'reduced', what: `${what}; ${coverage.reason}`, detail };
  });
}
