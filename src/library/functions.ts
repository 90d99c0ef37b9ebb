import { finalize as runFinalize } from '../operations/finalize.js';
import { migrate as runMigrate } from '../operations/migrate.js';
import { openMapped, openMigration } from '../operations/opened.js';
import { checkPlanFiles, plan as makePlan, type PlanDocument } from '../operations/plan.js';
import { repair as runRepair } from '../operations/repair.js';
import { rollback as runRollback } from '../operations/rollback.js';
import { status as readStatus } from '../operations/status.js';
import { switchAccounts as runSwitch } from '../operations/switch-accounts.js';
import { verify as runVerify, verifyDocument, type VerifyDocument } from '../operations/verify.js';
import type { RepairReport } from '../repair/repair.js';
import type { FinalizeReport } from '../stages/finalize/finalize.js';
import type { MigrationReport } from '../stages/migrate.js';
import type { RollbackReport } from '../stages/rollback/rollback.js';
import type { SwitchReport } from '../stages/switch/switch.js';
import type { Status } from '../status/status.js';
import type {
  FinalizeOptions,
  MigrateOptions,
  PlanOptions,
  RepairOptions,
  RollbackOptions,
  StatusOptions,
  SwitchOptions,
  VerifyOptions,
} from './options.js';
import { perform, type FunctionDefinition } from './perform.js';
import { accountsOf, scopeOf, toleranceOf } from './values.js';

const PACE = ['concurrency', 'batchSize', 'batchTime'] as const;

const PLAN: FunctionDefinition = {
  name: 'plan',
  own: [...PACE, 'holds', 'out', 'keys', 'dormant', 'notice', 'rehearse', 'showSql'],
  readsOnly: true,
};

/**
 * What a migration would do to each key, as `keylift plan --json` prints it. Writes nothing to the database.
 *
 * @throws KeyliftError
 */
export const plan = (options?: PlanOptions): Promise<PlanDocument> =>
  perform(PLAN, options, async (context) => {
    checkPlanFiles(options ?? {});
    return makePlan(context, await openMapped(context), options ?? {});
  });

const MIGRATE: FunctionDefinition = {
  name: 'migrate',
  own: [
    ...PACE,
    'until',
    'holds',
    'plan',
    'tolerance',
    'maxLag',
    'maxActive',
    'throttleQuery',
    'throttleUrl',
    'maxLatency',
  ],
};

/**
 * Goes through the stages that are left, without a question. Called again, it resumes. Keys that wait for a person are
 * counted as `exceptions` of the answer.
 *
 * @throws KeyliftError: `interrupted` after `signal`, `preflight` for a gate, `proof_failed` for a difference
 */
export const migrate = (options?: MigrateOptions): Promise<MigrationReport> =>
  perform(MIGRATE, options, async (context) => {
    const tolerance = toleranceOf(options?.tolerance);
    return runMigrate(context, await openMigration(context), { ...options, tolerance });
  });

const VERIFY: FunctionDefinition = { name: 'verify', own: ['replay', 'probe'], readsOnly: true };

/**
 * The proof. Differences are part of the answer: `ok` is false.
 *
 * @throws KeyliftError
 */
export const verify = (options?: VerifyOptions): Promise<VerifyDocument> =>
  perform(VERIFY, options, async (context) => verifyDocument(await runVerify(context, options ?? {})));

/**
 * Brings account keys, outcomes and the mirror back in line with the legacy table, and proves it.
 *
 * @throws KeyliftError
 */
export const repair = (options?: RepairOptions): Promise<RepairReport> =>
  perform({ name: 'repair', own: ['dryRun'] }, options, async (context) =>
    runRepair(context, await openMigration(context), { dryRun: options?.dryRun }),
  );

/**
 * Answers accounts from Settings from now on: the moment their keys open every store API. With `back`, the way back.
 *
 * @throws KeyliftError: `option_invalid` unless `all`, `cohort`, `accounts` or `back` is given
 */
export const switchAccounts = (options: SwitchOptions): Promise<SwitchReport> =>
  perform({ name: 'switchAccounts', own: ['all', 'cohort', 'accounts', 'back'] }, options, async (context) => {
    const scope = scopeOf(options);
    const opened = await openMigration(context);
    return runSwitch(context, opened, { scope: await scope(opened), back: options.back ?? false });
  });

/**
 * Returns every account, or some, to its per-API keys. A second rollback finds nothing to do.
 *
 * @throws KeyliftError
 */
export const rollback = (options?: RollbackOptions): Promise<RollbackReport> =>
  perform({ name: 'rollback', own: ['accounts', 'triggers'] }, options, async (context) => {
    const opened = await openMigration(context);
    const { accounts, triggers } = options ?? {};
    const accountIds = accounts === undefined ? undefined : await accountsOf(opened, accounts);
    return runRollback(context, opened, { accountIds, triggers });
  });

/**
 * Archives the moved per-API rows. `purge` deletes the archive, without a question.
 *
 * @throws KeyliftError
 */
export const finalize = (options?: FinalizeOptions): Promise<FinalizeReport> =>
  perform({ name: 'finalize', own: ['purge', 'triggers'] }, options, async (context) =>
    runFinalize(context, await openMigration(context), { purge: options?.purge, triggers: options?.triggers }),
  );

/**
 * Stage, progress, and the reason for waiting.
 *
 * @throws KeyliftError
 */
export const status = (options?: StatusOptions): Promise<Status> =>
  perform({ name: 'status', own: [], readsOnly: true }, options, async (context) =>
    readStatus(await openMigration(context)),
  );
