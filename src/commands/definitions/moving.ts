import { EXIT, type ExitCode } from '../../errors.js';
import type { CommandDefinition, Flag, Valued } from '../definition.js';
import { cohort, duration, file, oneOf, orOwn, wholeNumber, type Cohort } from '../values.js';
import { HOLDS } from './looking.js';

export const UNTIL = ['expand', 'backfill', 'harden', 'verify', 'switch'] as const;

const WRITING: readonly ExitCode[] = [
  EXIT.done,
  EXIT.bug,
  EXIT.usage,
  EXIT.refused,
  EXIT.unreachable,
  EXIT.interrupted,
];
const YES: Flag = { describe: 'do not ask; needed where nobody can answer' };
const METRICS: Flag = {
  describe: 'keep this file up to date with the run, as OpenMetrics text, for dashboards',
  value: 'FILE',
  read: file,
};
const ACCOUNTS = { describe: 'only the accounts of this CSV (header account_id)', value: 'FILE', read: file };

/** How fast a run goes; undefined leaves it to keylift, or as it is. */
export interface Pace {
  concurrency: number | undefined;
  batchSize: number | undefined;
  /** Milliseconds. */
  batchTime: number | undefined;
  /** Milliseconds. */
  maxLag: number | undefined;
}

export const PACE: Record<string, Valued> = {
  concurrency: { describe: 'batches at once, 1 to 64', value: 'N', read: wholeNumber({ from: 1, to: 64 }) },
  'batch-size': { describe: 'rows a batch at most', value: 'ROWS', read: wholeNumber({ from: 1, to: 10_000_000 }) },
  'batch-time': { describe: 'how long a batch should take: seconds, or 500ms', value: 'TIME', read: duration },
  'max-lag': { describe: 'wait while a replica is further behind: seconds, or 500ms', value: 'TIME', read: duration },
};

export interface MigrateArguments extends Pace {
  dryRun: boolean;
  until: (typeof UNTIL)[number] | undefined;
  holds: string | undefined;
  maxActive: number | undefined;
  metricsFile: string | undefined;
  yes: boolean;
}

export const migrate: CommandDefinition = {
  name: 'migrate',
  describe: 'All stages up to the switch, each once. Stop it when you like and run it again: it resumes',
  flags: {
    'dry-run': { describe: 'the same as plan' },
    until: { describe: `stop after this stage: ${UNTIL.join(', ')}`, value: 'STAGE', read: oneOf(UNTIL) },
    holds: HOLDS,
    ...PACE,
    'max-active': {
      describe: 'wait while more other sessions than this are at work',
      value: 'N',
      read: wholeNumber({ from: 0, to: 100_000 }),
    },
    'metrics-file': METRICS,
    yes: YES,
  },
  examples: [
    ['migrate', 'everything, after a question'],
    ['migrate --until verify --yes', 'copy and prove; every account stays on its old keys'],
    ['migrate --concurrency 4 --max-lag 2', 'four batches at once; wait while a replica lags'],
  ],
  exits: [
    EXIT.done,
    EXIT.bug,
    EXIT.usage,
    EXIT.refused,
    EXIT.differences,
    EXIT.unreachable,
    EXIT.exceptions,
    EXIT.interrupted,
  ],
  needsDatabase: true,
};

export interface SwitchArguments {
  all: boolean;
  cohort: Cohort | undefined;
  accounts: string | undefined;
  back: boolean;
  metricsFile: string | undefined;
  yes: boolean;
}

export const switchAccounts: CommandDefinition = {
  name: 'switch',
  describe: 'Answer accounts from Settings from now on; this is the moment their keys open the store. --back returns',
  flags: {
    all: { describe: 'every account' },
    cohort: { describe: 'a stable share of the accounts; 10% contains 5%', value: 'P%', read: cohort },
    accounts: ACCOUNTS,
    back: { describe: 'the way back; alone: every account' },
    'metrics-file': METRICS,
    yes: YES,
  },
  exclusive: [['all', 'cohort', 'accounts']],
  fault: (given) =>
    ['all', 'cohort', 'accounts', 'back'].some((flag) => given.has(flag))
      ? undefined
      : 'say who: --all, --cohort P%, --accounts FILE or --back',
  examples: [
    ['switch --cohort 5%', 'start with a twentieth of the accounts'],
    ['switch --all --yes', 'everybody, without a question'],
    ['switch --cohort 5% --back', 'return that twentieth to the old keys'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
};

export interface RollbackArguments {
  accounts: string | undefined;
  metricsFile: string | undefined;
  yes: boolean;
}

export const rollback: CommandDefinition = {
  name: 'rollback',
  describe: 'Every account back on its per-API keys, with what happened since kept; the mirror and the moved rows go',
  flags: { accounts: ACCOUNTS, 'metrics-file': METRICS, yes: YES },
  examples: [
    ['rollback', 'take everything back, after a question'],
    ['rollback --accounts acme.csv --yes', 'take some accounts back'],
  ],
  exits: WRITING,
  needsDatabase: true,
};

export interface FinalizeArguments {
  purge: boolean;
  metricsFile: string | undefined;
  yes: boolean;
}

export const finalize: CommandDefinition = {
  name: 'finalize',
  describe: "Archive the moved per-API rows; from here on the store's keys are made in Settings alone",
  flags: { purge: { describe: 'delete the archive: the point of no return' }, 'metrics-file': METRICS, yes: YES },
  examples: [
    ['finalize', 'archive; a rollback is still possible'],
    ['finalize --purge', 'delete the archive; nothing is possible any more'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
};

export const pause: CommandDefinition = {
  name: 'pause',
  describe: 'Let a run finish its batches and wait, from another terminal',
  flags: {},
  examples: [['pause', 'the run waits until resume']],
  exits: WRITING,
  needsDatabase: true,
};

export const resume: CommandDefinition = {
  name: 'resume',
  describe: 'Let a paused run go on',
  flags: {},
  examples: [['resume', 'the run goes on']],
  exits: WRITING,
  needsDatabase: true,
};

/** Null gives the choice back to the run's own command line. */
export type TuneArguments = { [Name in Exclude<keyof Pace, 'batchSize'>]: Pace[Name] | null };

/** A range's size is cut at the start; what can change under way is how many are taken at once, and when. */
const TUNABLE: Record<string, Flag> = Object.fromEntries(
  Object.entries(PACE)
    .filter(([name]) => name !== 'batch-size')
    .map(([name, flag]) => [
      name,
      { ...flag, describe: `${flag.describe}; own: what the run asked for`, read: orOwn(flag.read) },
    ]),
);

export const tune: CommandDefinition = {
  name: 'tune',
  describe: 'Change the pace of a run while it goes, from another terminal',
  flags: TUNABLE,
  fault: (given) =>
    Object.keys(TUNABLE).some((flag) => given.has(flag))
      ? undefined
      : 'say what: --concurrency, --batch-time or --max-lag',
  examples: [
    ['tune --concurrency 1', 'go easy'],
    ['tune --batch-time 1 --max-lag 500ms', 'longer batches, stricter lag'],
    ['tune --max-lag own', "back to what the run's command line says"],
  ],
  exits: WRITING,
  needsDatabase: true,
};
