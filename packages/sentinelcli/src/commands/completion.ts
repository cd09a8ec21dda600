/**
 * `sentinelcli completion`: the shell script that completes commands and options. The script asks the program itself,
 * so it never falls behind.
 */
import { defineCommand, type Command } from '../command.ts';

/** The first word of a command line that asks for candidates: the script's business alone. */
export const COMPLETE_WORD = '--complete';

const SCRIPT = `# sentinelcli completion for bash, and for zsh after: autoload -U bashcompinit && bashcompinit
_sentinelcli() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(sentinelcli ${COMPLETE_WORD} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sentinelcli sentinelcli
`;

export const completion: Command = defineCommand({
  name: 'completion',
  summary: 'Print the script that completes commands and options in bash and zsh',
  options: {},
  examples: [
    { line: 'source <(sentinelcli completion)', what: 'for this shell' },
    { line: 'sentinelcli completion | sudo tee /etc/bash_completion.d/sentinelcli', what: 'for everybody' },
  ],
  run: async ({ terminal }) => {
    terminal.out(SCRIPT);
    return Promise.resolve(0);
  },
});
