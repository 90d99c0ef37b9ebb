import { EXIT } from '../../errors.js';
import { SHELLS, type Shell } from '../completion-script.js';
import type { CommandDefinition } from '../definition.js';
import { oneOf } from '../values.js';

export interface CompletionArguments {
  shell: Shell | undefined;
}

export const completion: CommandDefinition = {
  name: 'completion',
  describe: 'A script for your shell, so that Tab completes commands, flags and what they take',
  positionals: {
    shell: {
      describe: "your login shell's, where left out",
      value: SHELLS.join('|'),
      read: oneOf(SHELLS),
      optional: true,
    },
  },
  flags: {},
  examples: [
    ['completion', 'source <(keylift completion), in the file that your shell reads first'],
    ['completion zsh', 'for zsh, whatever your login shell'],
  ],
  exits: [EXIT.done, EXIT.bug, EXIT.usage],
  needsDatabase: false,
  readsConfiguration: false,
};
