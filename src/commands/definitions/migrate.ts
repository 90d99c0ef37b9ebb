import { EXIT } from '../../errors/exit-codes.js';
import { define } from '../definition.js';
import { ACCOUNTS, HOLDS, METRICS, PACE, THROTTLE, TRIGGERS, YES } from '../flags.js';
import { cohort, file, oneOf, tolerance } from '../values.js';

/** The stages that `migrate --until` takes. */
export const UNTIL = ['expand', 'backfill', 'harden', 'verify', 'switch'] as const;

const WRITING = [EXIT.done, EXIT.bug, EXIT.usage, EXIT.refused, EXIT.unreachable, EXIT.interrupted] as const;

export const migrateCommand = define({
  name: 'migrate',
  brief: 'all stages up to the switch; run again, it resumes',
  describe: 'All stages up to the switch, each once. Stop it at any time and run it again: it resumes',
  flags: {
    'dry-run': { describe: 'the same as plan' },
    until: {
      describe: `stop after this stage: ${UNTIL.join(', ')}; default switch`,
      value: 'STAGE',
      read: oneOf(UNTIL),
    },
    holds: HOLDS,
    plan: { describe: 'file of plan --out: refuse if the database has drifted from it', value: 'FILE', read: file },
    tolerance: { describe: 'drift from the saved plan to accept; default 1%', value: 'P%', read: tolerance },
    ...PACE,
    ...THROTTLE,
    'metrics-file': METRICS,
    yes: YES,
  },
  fault: (given) => (given.has('tolerance') && !given.has('plan') ? '--tolerance needs --plan FILE' : undefined),
  examples: [
    ['migrate', 'everything, after a question'],
    ['migrate --plan plan.json', 'only if the database is still as the reviewed plan says'],
    ['migrate --until verify --yes', 'copy and prove; every account stays on its old keys'],
    ['migrate --concurrency 4 --max-lag 2', 'four batches at once; wait while a replica lags'],
  ],
  exits: [...WRITING, EXIT.differences, EXIT.exceptions],
  needsDatabase: true,
});

export const verifyCommand = define({
  name: 'verify',
  brief: 'the proof that no client has to change anything',
  describe: 'The proof: every key arrived equal, every request that was allowed still is, no other request is',
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
    ['verify --replay decisions.ndjson --json', 'replay recorded decisions, too, and answer in JSON'],
    ['verify --probe canaries.json', 'send requests to the gateway, too'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
});

export const repairCommand = define({
  name: 'repair',
  brief: 'bring account keys and the mirror back in line',
  describe:
    'Bring the mirror, account keys and outcomes back in line with the legacy table; a dead key stays dead. It lists ' +
    'what it would do, asks, and proves the result',
  flags: { 'dry-run': { describe: 'list what it would do, and write nothing' }, 'metrics-file': METRICS, yes: YES },
  examples: [
    ['repair --dry-run', 'what is out of line'],
    ['repair', 'mend it after a question, and prove it'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
});

export const switchCommand = define({
  name: 'switch',
  brief: 'answer accounts from Settings, or back; all, or a cohort',
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
      : 'name the accounts: --all, --cohort P%, --accounts FILE or --back',
  examples: [
    ['switch --cohort 5%', 'start with a twentieth of the accounts'],
    ['switch --all --yes', 'every account, without a question'],
    ['switch --cohort 5% --back', 'return that twentieth to the old keys'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
});

export const rollbackCommand = define({
  name: 'rollback',
  brief: 'every account back on its per-API keys',
  describe:
    'Return every account to its per-API keys and keep what changed since; remove the mirror and the moved rows',
  flags: { accounts: ACCOUNTS, triggers: TRIGGERS, 'metrics-file': METRICS, yes: YES },
  examples: [
    ['rollback', 'the whole migration, after a question'],
    ['rollback --accounts acme.csv --yes', 'some accounts only'],
    ['rollback --triggers skip', 'after finalize, without firing triggers on inserts'],
  ],
  exits: [...WRITING, EXIT.exceptions],
  needsDatabase: true,
});

export const finalizeCommand = define({
  name: 'finalize',
  brief: 'archive the moved per-API rows; --purge deletes them',
  describe: 'Archive the moved per-API rows; from here on new store keys are created in Settings only',
  flags: {
    purge: { describe: 'delete the archive: the point of no return' },
    triggers: TRIGGERS,
    'metrics-file': METRICS,
    yes: YES,
  },
  examples: [
    ['finalize', 'archive; a rollback is still possible'],
    ['finalize --triggers skip', "without firing the platform's triggers on deletes"],
    ['finalize --purge', 'delete the archive; a rollback is no longer possible'],
  ],
  exits: [...WRITING, EXIT.differences],
  needsDatabase: true,
});
