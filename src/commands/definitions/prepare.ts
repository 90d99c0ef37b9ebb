import { EXIT } from '../../errors/exit-codes.js';
import { define } from '../definition.js';
import { HOLDS, PACE } from '../flags.js';
import { file, word } from '../values.js';

const ALWAYS = [EXIT.done, EXIT.bug, EXIT.usage] as const;
const READING = [...ALWAYS, EXIT.refused, EXIT.unreachable, EXIT.interrupted] as const;

export const demoCommand = define({
  name: 'demo',
  brief: 'the whole migration with shipped data and its own server',
  describe: 'The whole migration on an embedded PostgreSQL with shipped data: before, after, who opens what, proof',
  flags: {},
  examples: [['demo', 'watch a migration without touching anything']],
  exits: [...ALWAYS, EXIT.differences, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: false,
});

export const initCommand = define({
  name: 'init',
  brief: "write a first configuration from the database's catalog",
  describe: 'Read the catalog of a database and write a first configuration, with guesses and doubts in a second file',
  flags: {
    'dry-run': { describe: 'write no file: print what it would contain' },
    force: { describe: 'overwrite an existing configuration and its notes' },
  },
  examples: [
    ['init', 'write keylift.config.json and keylift.config.notes.md'],
    ['init --dry-run --json', 'one document with the configuration and the notes'],
    ['init --config shop.json --force', 'write another file again'],
  ],
  exits: READING,
  needsDatabase: true,
  readsConfiguration: false,
});

export const checkCommand = define({
  name: 'check',
  brief: 'compare the configuration with the database',
  describe: 'Compare the configuration with a live database; list every fault with a suggestion. Writes nothing',
  flags: {},
  examples: [
    ['check', 'every fault, and what to know'],
    ['check --json', 'the same as one JSON document'],
  ],
  exits: READING,
  needsDatabase: true,
});

export const planCommand = define({
  name: 'plan',
  brief: 'what would happen to each key, and who gains what',
  describe: 'What a migration would do: outcomes, exceptions, who gains what, batches, time. Writes nothing',
  flags: {
    'show-sql': { describe: 'print the statements that would run' },
    rehearse: { describe: 'run one batch in a transaction that is rolled back, and measure it' },
    holds: HOLDS,
    out: { describe: 'save the plan for migrate --plan', value: 'FILE', read: file },
    keys: {
      describe: 'write a CSV of every key: outcome, reason, what it opens before and after',
      value: 'FILE',
      read: file,
    },
    dormant: {
      describe: 'write a CSV of living keys that move and were not used in 90 days; --holds takes it',
      value: 'FILE',
      read: file,
    },
    notice: {
      describe: 'write a CSV for a notice to customers: account, key name, what it opens before and after',
      value: 'FILE',
      read: file,
    },
    ...PACE,
  },
  examples: [
    ['plan', 'count outcomes and list exceptions'],
    ['plan --json --holds holds.csv', 'the same as one JSON document, with some keys on hold'],
    ['plan --rehearse --notice customers.csv', "measure one batch and write the customers' list"],
    ['plan --dormant dormant.csv', 'list dormant keys, for review and for --holds'],
    ['plan --holds dormant.csv --out plan.json', 'save the plan that was reviewed, for migrate --plan'],
  ],
  exits: [...READING, EXIT.exceptions],
  needsDatabase: true,
});

export const explainCommand = define({
  name: 'explain',
  brief: 'everything about one key',
  describe: 'Everything about one key: source, target, outcome and reason, batch, what it opens before and after',
  positionals: { key: { describe: "a key's id, or the fingerprint that keylift shows", value: 'KEY', read: word } },
  flags: {},
  examples: [
    ['explain 4711', 'by id'],
    ['explain 9f86d081884c', 'by fingerprint'],
  ],
  exits: READING,
  needsDatabase: true,
});
