import { EXIT } from '../../errors.js';
import type { CommandDefinition } from '../definition.js';

const ALWAYS = [EXIT.done, EXIT.bug, EXIT.usage, EXIT.refused, EXIT.unreachable, EXIT.interrupted] as const;

export interface InitArguments {
  dryRun: boolean;
  force: boolean;
}

export const init: CommandDefinition = {
  name: 'init',
  describe:
    'Read the catalog of a database and write a first configuration, with its guesses and doubts in notes beside it',
  flags: {
    'dry-run': { describe: 'write no file: print what would stand in it' },
    force: { describe: 'overwrite a configuration that is there, and its notes' },
  },
  examples: [
    ['init', 'write keylift.config.json and keylift.config.notes.md'],
    ['init --dry-run --json', 'one document with the configuration and the notes'],
    ['init --config shop.json --force', 'begin another file anew'],
  ],
  exits: ALWAYS,
  needsDatabase: true,
  readsConfiguration: false,
};

export type CheckArguments = Record<string, never>;

export const check: CommandDefinition = {
  name: 'check',
  describe:
    'What is wrong with the configuration against a live database, all at once, with what was probably meant. Writes nothing',
  flags: {},
  examples: [
    ['check', 'every fault, and what to know'],
    ['check --json', 'the same as one JSON document'],
  ],
  exits: ALWAYS,
  needsDatabase: true,
};
