/**
 * `sentinelcli health`: whether SentinelD does its work on this host, asked of the daemons and seen in their files.
 */
import { SEVERITIES } from '@sentineld/model/rule';
import { defineCommand, type Command } from '../command.ts';
import { reportHealth, type Health } from '../health-report.ts';
import { flag } from '../option.ts';
import { healthText } from '../output/health-text.ts';
import { jsonText } from '../output/json.ts';

export const health: Command = defineCommand({
  name: 'health',
  summary: 'Say whether SentinelD does its work on this host',
  description:
    'Asks procmond and sentinelagent over their sockets, looks at the databases and counts the alerts of 24 hours. ok: everything works. degraded: it works, with something missing that is named. failing: a daemon does not run, does not answer, or cannot do its work. The exit status is 1 where it is failing.',
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli health', what: 'at a glance' },
    { line: 'sentinelcli health --json | jq -r .state', what: 'one word for a script' },
    { line: 'sentinelcli health > /dev/null || echo "look after SentinelD"', what: 'in a cron job' },
  ],
  run: async (context, _words, { json }) => {
    const found = await reportHealth(context.paths(), context.now());
    context.terminal.out(json ? `${jsonText(healthJson(found), 2)}\n` : healthText(found, context.terminal, context.now()));
    return found.state === 'failing' ? 1 : 0;
  },
});

function healthJson(health: Health): unknown {
  const { alerts, ledgerHead } = health;
  return {
    state: health.state,
    components: health.components.map(({ component, state, problems, details }) => ({ component, state, problems, details })),
    databases: health.databases,
    ledger_head: ledgerHead === null ? null : { sequence: ledgerHead.sequence, entry_hash: ledgerHead.entryHash },
    alerts_24h: alerts === null ? null : { total: SEVERITIES.reduce((sum, severity) => sum + alerts[severity], 0), ...alerts },
  };
}
