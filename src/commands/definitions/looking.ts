import { EXIT } from '../../errors.js';
import type { CommandDefinition } from '../definition.js';
import { file, oneOf, wholeNumber, word } from '../values.js';

const ALWAYS = [EXIT.done, EXIT.bug, EXIT.usage] as const;

export interface PlanArguments {
  showSql: boolean;
  rehearse: boolean;
  holds: string | undefined;
  notice: string | undefined;
}

export const HOLDS = {
  describe: 'CSV of accounts or keys to leave as they are (account_id or key_id column)',
  value: 'FILE',
  read: file,
};

export const plan: CommandDefinition = {
  name: 'plan',
  describe: 'What a migration would do: outcomes, exceptions, who gains what, batches, time. Writes nothing',
  flags: {
    'show-sql': { describe: 'print the statements that would run' },
    rehearse: { describe: 'run one batch in a transaction that is rolled back, and measure it' },
    holds: HOLDS,
    notice: {
      describe: 'write a CSV for telling customers (account, key name, opens before, opens after)',
      value: 'FILE',
      read: file,
    },
  },
  examples: [
    ['plan', 'count outcomes and list exceptions'],
    ['plan --json --holds holds.csv', 'the same as one JSON document, some keys held back'],
    ['plan --rehearse --notice customers.csv', "measure one batch and write the customers' list"],
  ],
  exits: [...ALWAYS, EXIT.refused, EXIT.unreachable, EXIT.exceptions, EXIT.interrupted],
  needsDatabase: true,
};

export interface VerifyArguments {
  replay: string | undefined;
  probe: string | undefined;
}

export const verify: CommandDefinition = {
  name: 'verify',
  describe: 'The proof: every key arrived equal, every request that was let in still is, nothing else is',
  flags: {
    replay: {
      describe: 'run recorded decisions (NDJSON) through the old rule and the new one',
      value: 'FILE',
      read: file,
    },
    probe: { describe: 'send HTTP requests with canary keys to the real gateway (JSON)', value: 'FILE', read: file },
  },
  examples: [
    ['verify', 'compare keys and authorization'],
    ['verify --replay decisions.ndjson --json', 'judge recorded decisions, too, and answer in JSON'],
    ['verify --probe canaries.json', 'ask the gateway itself, too'],
  ],
  exits: [...ALWAYS, EXIT.refused, EXIT.differences, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: true,
};

export interface StatusArguments {
  watch: boolean;
}

export const status: CommandDefinition = {
  name: 'status',
  describe: 'Stage, progress, rate, time left, and why it waits',
  flags: { watch: { describe: 'go on until the run ends' } },
  fault: (given) =>
    given.has('watch') && given.has('json')
      ? '--watch and --json exclude each other: stdout is one document'
      : undefined,
  examples: [
    ['status', 'where the migration stands'],
    ['status --watch', 'follow it'],
  ],
  exits: [...ALWAYS, EXIT.refused, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: true,
};

export interface ReportArguments {
  file: string;
}

export const report: CommandDefinition = {
  name: 'report',
  describe: 'One self-contained HTML page of a run: outcomes, pace, proof, exceptions',
  positionals: { file: { describe: 'where the page goes', value: 'FILE', read: file } },
  flags: {},
  examples: [['report keylift.html', 'write the page']],
  exits: [...ALWAYS, EXIT.refused, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: true,
};

export interface ExplainArguments {
  key: string;
}

export const explain: CommandDefinition = {
  name: 'explain',
  describe: "One key's story: source, target, outcome and reason, batch, what it opens before and after",
  positionals: { key: { describe: "a key's id, or the fingerprint that keylift shows", value: 'KEY', read: word } },
  flags: {},
  examples: [
    ['explain 4711', 'by id'],
    ['explain 9f86d081884c', 'by fingerprint'],
  ],
  exits: [...ALWAYS, EXIT.refused, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: true,
};

export const demo: CommandDefinition = {
  name: 'demo',
  describe: 'The whole story on an embedded PostgreSQL with shipped data: before, after, who opens what, proof',
  flags: {},
  examples: [['demo', 'watch a migration without touching anything']],
  exits: [...ALWAYS, EXIT.differences, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: false,
};

export const SNAPSHOT_ACTIONS = ['check', 'update', 'export'] as const;

export interface SnapshotArguments {
  action: (typeof SNAPSHOT_ACTIONS)[number];
  dir: string;
  junit: string | undefined;
  accounts: number | undefined;
}

export const snapshot: CommandDefinition = {
  name: 'snapshot',
  describe:
    'Run fixture cases in a scratch database and compare with their snapshots, renew these, or make a case of a real database',
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
    ['snapshot update fixtures/story', 'accept what comes out now'],
    ['snapshot export --accounts 20 cases/sample', 'a sample of the database as a case, nothing secret in it'],
  ],
  exits: [...ALWAYS, EXIT.refused, EXIT.differences, EXIT.unreachable, EXIT.interrupted],
  needsDatabase: false,
};
