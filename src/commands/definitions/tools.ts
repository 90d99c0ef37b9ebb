import { EXIT } from '../../errors/exit-codes.js';
import { SHELLS } from '../completion-script.js';
import { define } from '../definition.js';
import { file, oneOf, wholeNumber } from '../values.js';

const SNAPSHOT_ACTIONS = ['check', 'update', 'export'] as const;

export const snapshotCommand = define({
  name: 'snapshot',
  brief: 'run your own cases and compare with their snapshots',
  describe: 'Run fixture cases and compare or update their snapshots, or export a sample of a real database as a case',
  positionals: {
    action: {
      describe: 'check compares, update writes, export makes a case',
      value: SNAPSHOT_ACTIONS.join('|'),
      read: oneOf(SNAPSHOT_ACTIONS),
    },
    dir: { describe: 'a case, or a folder of cases; for export the new case', value: 'DIR', read: file },
  },
  flags: {
    junit: { describe: 'check: write the results as JUnit XML, too', value: 'FILE', read: file },
    accounts: {
      describe: 'export: how many accounts to take, 1 to 1000; default 20',
      value: 'N',
      read: wholeNumber({ from: 1, to: 1000 }),
    },
  },
  exclusive: [['junit', 'accounts']],
  examples: [
    ['snapshot check fixtures', 'compare every case'],
    ['snapshot check cases --junit results.xml', 'the same in CI'],
    ['snapshot update fixtures/story', 'accept the present results'],
    ['snapshot export --accounts 20 cases/sample', 'a sample of the database as a case, without any secret'],
  ],
  exits: [EXIT.done, EXIT.bug, EXIT.usage, EXIT.refused, EXIT.differences, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: false,
});

export const completionCommand = define({
  name: 'completion',
  brief: 'a script for bash or zsh: Tab completes the rest',
  describe: 'A script for your shell: Tab completes commands, flags and their values',
  positionals: {
    shell: { describe: 'by default your login shell', value: SHELLS.join('|'), read: oneOf(SHELLS), optional: true },
  },
  flags: {},
  examples: [
    ['completion', 'in the start file of your shell: source <(keylift completion)'],
    ['completion zsh', 'for zsh, whatever your login shell is'],
  ],
  exits: [EXIT.done, EXIT.bug, EXIT.usage],
  needsDatabase: false,
  readsConfiguration: false,
});
