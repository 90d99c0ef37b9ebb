import type { Migration } from '../../../migrations/context.js';
import { STEPS } from '../../../migrations/index.js';
import { retry } from '../../database/retry.js';
import { SQLSTATE, sqlStateOf } from '../../database/sqlstate.js';
import { CHANGE_LOG_GREW } from '../../mirror/install.js';
import type { StageContext } from '../../run/context.js';
import { logAgain, settleKeys, settleUnaccounted } from '../settle-again.js';
import { applyChangeLog, changeLogGrows } from './change-log.js';
import { decideListedKeys } from './listed-keys.js';
import { keysWithoutAccount, tokensOfSeveral } from './statements.js';
import { refuseUnfit } from './unfit.js';

const MOST_ATTEMPTS = 5;

const [settle, indexes, primaryKey, mirror, ...afterMirror] = STEPS.harden;

/**
 * Indexes; then the change log, until the mirror is on; then constraints and their validation, and the resolver that
 * answers switched accounts. Each step is skipped where it was done before.
 */
export async function harden(context: StageContext): Promise<void> {
  const done = await context.ddl.completed();
  const run = async (steps: readonly Migration[]): Promise<void> => {
    for (const step of steps) if (!done.has(step.name)) await runStep(context, step);
  };
  await run([settle, indexes, primaryKey]);
  if (!done.has(mirror.name)) await turnMirrorOn(context);
  await run(afterMirror);
}

async function turnMirrorOn(context: StageContext): Promise<void> {
  await logAgain(context);
  await decideListedKeys(context);
  for (let attempt = 1; ; attempt += 1) {
    await applyChangeLog(context);
    try {
      await runStep(context, mirror);
      return;
    } catch (error) {
      if (sqlStateOf(error) !== CHANGE_LOG_GREW) throw error;
      if (attempt >= MOST_ATTEMPTS) throw changeLogGrows({ cause: error });
    }
  }
}

async function runStep(context: StageContext, step: Migration): Promise<void> {
  const { ddl, emit, stop } = context;
  emit({ kind: 'step', text: step.name.replace(/^\d+_/, '').replaceAll('_', ' ') });
  await retry(() => ddl.up([step]), { policy: 'refusedRows', stop, onRetry: (error) => repairRows(context, error) });
}

/** Two batches with different snapshots may have copied one token twice; an account may have been deleted meanwhile. */
async function repairRows(context: StageContext, error: unknown): Promise<void> {
  if (sqlStateOf(error) === SQLSTATE.uniqueViolation) return settleDoubleTokens(context);
  await settleKeysWithoutAccount(context);
  await settleUnaccounted(context);
  await context.database.readOnly((session) => refuseUnfit(session, context.schema.legacy));
}

async function settleDoubleTokens(context: StageContext): Promise<void> {
  await settleThose(context, tokensOfSeveral(context.schema.legacy));
}

async function settleKeysWithoutAccount(context: StageContext): Promise<void> {
  await settleThose(context, keysWithoutAccount(context.schema.legacy));
}

async function settleThose(context: StageContext, keys: string): Promise<void> {
  const { rows } = await context.database.readOnly((session) => session.query<{ key_id: string }>(keys));
  await settleKeys(
    context,
    rows.map((row) => row.key_id),
  );
}
