/**
 * What readers see of agent.db about findings that operators let raise no alert.
 */
import type { ReadableTable } from '@sentineld/model/schema';

export const ALERT_SUPPRESSION: ReadableTable = {
  name: 'alert_suppression',
  description: 'Findings that operators let raise no alert for a while: what holds, and the newest 500 that ended.',
  columns: [
    { name: 'id', type: 'INTEGER', description: 'Number of the suppression, growing.' },
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id); it need not be there.' },
    { name: 'alert_id', type: 'INTEGER', nullable: true, description: 'The alert that it was made from (alerts.id).' },
    { name: 'reason', type: 'TEXT', description: 'Why it was made.' },
    { name: 'uid', type: 'INTEGER', description: 'Who made it.' },
    { name: 'user_name', type: 'TEXT', nullable: true, description: 'The name of that user, where there is one.' },
    { name: 'created_at', type: 'INTEGER', unit: 'ms since 1970', description: 'Since when it holds.' },
    { name: 'expires_at', type: 'INTEGER', unit: 'ms since 1970', description: 'Until when it holds, unless it is ended before.' },
    { name: 'hits', type: 'INTEGER', description: 'Findings that it hid, repeats included.' },
    { name: 'last_hit', type: 'INTEGER', unit: 'ms since 1970', nullable: true, description: 'When it last hid one.' },
    {
      name: 'ended_at',
      type: 'INTEGER',
      unit: 'ms since 1970',
      nullable: true,
      description: 'When it ended, or its time was over; NULL until that was noticed.',
    },
    { name: 'ended_uid', type: 'INTEGER', nullable: true, description: 'Who ended it; NULL where its time was over.' },
    { name: 'ended_by', type: 'TEXT', nullable: true, description: 'The name of that user, where there is one.' },
    { name: 'ended_reason', type: 'TEXT', nullable: true, description: 'Why it was ended.' },
    {
      name: 'conditions',
      type: 'TEXT',
      unit: 'JSON array of objects',
      description:
        'column and value (text, or null for NULL), all of which every row of a finding must have; [] for every finding of the rule.',
    },
  ],
};
