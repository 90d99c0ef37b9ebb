import { EXIT } from '../../errors/exit-codes.js';
import { define } from '../definition.js';
import { YES } from '../flags.js';

export const uninstallCommand = define({
  name: 'uninstall',
  brief: 'remove keylift, after a rollback or a purge',
  describe:
    'Remove schema keylift and everything else that keylift created, after a rollback or a purge. ' +
    'After a purge the table of account keys stays',
  flags: { yes: YES },
  examples: [
    ['uninstall', 'after a question'],
    ['uninstall --yes --json', 'without a question; one JSON document'],
  ],
  exits: [EXIT.done, EXIT.bug, EXIT.usage, EXIT.refused, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: true,
});
