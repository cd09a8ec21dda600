/**
 * `sentinelcli alerts suppressions`: which findings raise no alert, until when, by whose word, and what they hid.
 */
import { suppressionJson, suppressionLines, suppressionState } from '../alert-decisions.ts';
import { defineCommand, type Command } from '../command.ts';
import { flag } from '../option.ts';
import { jsonArrayText } from '../output/json.ts';
import { storedSuppressions } from '../suppression-store.ts';

export const alertsSuppressions: Command = defineCommand({
  name: 'alerts suppressions',
  summary: 'List the suppressions that hold, and what they hid',
  description: 'Newest first, read from the database of the agent whether it runs or not.',
  options: {
    all: flag('Also those that ended or whose time was over: the newest 500 are kept'),
    json: flag('A JSON array; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli alerts suppressions', what: 'what raises no alert at the moment, and why' },
    { line: "sentinelcli alerts suppressions --all --json | jq '.[] | select(.hits == 0) | .id'", what: 'those that hid nothing' },
  ],
  run: (context, _words, { all, json }) => {
    const nowMs = context.now();
    const stored = storedSuppressions(context.paths());
    const shown = stored.filter((suppression) => all || suppressionState(suppression, nowMs) === 'holds');
    if (json) context.terminal.out(jsonArrayText(shown.map((suppression) => suppressionJson(suppression, nowMs))));
    else if (shown.length === 0) context.terminal.out('no suppressions\n');
    else context.terminal.out(shown.map((suppression) => suppressionLines(context, suppression)).join('\n'));
    return Promise.resolve(0);
  },
});
