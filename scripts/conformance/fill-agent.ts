/**
 * A child of the suite `schema`: has the agent's writer make agent.db with one rule, one alert and its deliveries. A
 * process of its own, because the writers' SQLite and the readers' must not meet in one.
 */
import type { Finding } from '@sentineld/model/alert';
import type { Rule } from '@sentineld/model/rule';
import { openAgentWriter } from '@sentineld/store/agent/writer';

const RULE: Rule = {
  id: 'conformance',
  name: 'A rule',
  description: 'For the conformance of the schema.',
  severity: 'low',
  category: 'process',
  tags: ['conformance'],
  attack: ['T1059'],
  version: 1,
  author: 'SentinelD',
  sql: 'SELECT pid FROM processes',
  dedupKeys: ['pid'],
  enabled: true,
  source: 'builtin',
  sourcePath: 'conformance.yaml',
  checksum: '0'.repeat(64),
};

const FINDING: Finding = {
  ruleId: RULE.id,
  ruleName: RULE.name,
  ruleVersion: RULE.version,
  severity: RULE.severity,
  description: RULE.description,
  category: RULE.category,
  tags: RULE.tags,
  attack: RULE.attack,
  dedupKey: 'conformance 1',
  scanId: 1,
  correlationId: 'conformance',
  rows: [{ pid: 1 }],
  processes: [
    {
      pid: 1,
      startTimeMs: 0,
      name: 'init',
      exePath: '/sbin/init',
      argv: ['init'],
      user: 'root',
      ppid: 0,
      parentName: null,
      parentExe: null,
      parentCmdline: null,
    },
  ],
  executionTimeMs: 1,
};

const [path = ''] = process.argv.slice(2);
const writer = openAgentWriter({ path, clock: Date.now });
writer.saveRules([RULE]);
writer.recordFindings([FINDING], {
  hostName: 'host',
  hostId: 'host',
  bootId: 'boot',
  windowMs: 0,
  sinks: [
    { name: 'console', type: 'stdout' },
    { name: 'log', type: 'file' },
  ],
});
writer.stop();
// Not by running out of work: that would close the database.
process.exit(0);
