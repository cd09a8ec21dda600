/**
 * What readers see of agent.db about rules beside their definition: what operators decided, what they cost, what they were.
 */
import type { ReadableTable } from '@sentineld/model/schema';

const RULE_OVERRIDE: ReadableTable = {
  name: 'rule_override',
  description: 'What operators decided about rules, also about those that are not there now.',
  columns: [
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id); it need not be there.' },
    {
      name: 'enabled',
      type: 'INTEGER',
      unit: '0 or 1',
      nullable: true,
      description: "Whether it is run; NULL where the rule's own holds.",
    },
    { name: 'severity', type: 'TEXT', nullable: true, description: "The severity that counts; NULL where the rule's own does." },
    { name: 'reason', type: 'TEXT', description: 'Why, of the newest decision.' },
    { name: 'uid', type: 'INTEGER', description: 'Whose decision it was.' },
    { name: 'user_name', type: 'TEXT', nullable: true, description: 'The name of that user, where there is one.' },
    { name: 'decided_at', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was made.' },
  ],
};

const RULE_COST: ReadableTable = {
  name: 'rule_cost',
  description: 'What each rule cost and found since it was first run.',
  columns: [
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id).' },
    { name: 'runs', type: 'INTEGER', description: 'How often it was run.' },
    { name: 'rows_found', type: 'INTEGER', description: 'Rows that matched.' },
    { name: 'hits', type: 'INTEGER', description: 'Runs with at least one row.' },
    { name: 'total_us', type: 'INTEGER', unit: 'microseconds', description: 'Duration of all runs.' },
    { name: 'worst_us', type: 'INTEGER', unit: 'microseconds', description: 'Duration of the longest run.' },
    { name: 'overruns', type: 'INTEGER', description: 'Runs that took too long or too much memory.' },
    { name: 'last_run', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was last run.' },
  ],
};

const DETECTION_RULE_VERSIONS: ReadableTable = {
  name: 'detection_rule_versions',
  description: 'Definitions that rules had, the newest 100 of each.',
  columns: [
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id).' },
    { name: 'version', type: 'INTEGER', description: "The author's version." },
    { name: 'checksum', type: 'TEXT', unit: '64 hex digits', nullable: true, description: 'SHA-256 of what it was read from.' },
    { name: 'recorded_at', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was first loaded.' },
    { name: 'last_seen', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was last known to be loaded.' },
    { name: 'definition', type: 'TEXT', unit: 'JSON object', description: 'All of it, with what operators had decided.' },
  ],
};

export const RULE_TABLES: readonly ReadableTable[] = [RULE_OVERRIDE, RULE_COST, DETECTION_RULE_VERSIONS];
