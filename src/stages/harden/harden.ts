import type { Migration } from '../../../migrations/context.js';
import { STEPS } from '../../../migrations/index.js';
import { retry } from '../../database/retry.js';
import { SQLSTATE, sqlStateOf } from '../../database/sqlstate.js';
import type { StageContext } from '../../run/context.js';
import { settleKeys, sweep } from '../backfill/sweep.js';
import { keysWithoutAccount, tokensOfSeveral } from './statements.js';
import { refuseUnfit } from './unfit.js';

/** Indexes, constraints and their validation; the resolver learns to answer switched accounts. */
export async function harden(context: StageContext): Promise<void> {
  const done = await context.ddl.completed();
  for (const step of STEPS.harden) if (!done.has(step.name)) await runStep(context, step);
}

/** The first step alone, for whoever has its keys and time before the stage begins; `harden` finds it done. */
export const hardenEarly = (context: StageContext): Promise<void> => runStep(context, STEPS.harden[0]);

async function runStep(context: StageContext, step: Migration): Promise<void> {
  const { ddl, emit, stop } = context;
  emit({ kind: 'step', text: step.name.replace(/^\d+_/, '').replaceAll('_', ' ') });
  await retry(() => ddl.up([step]), { policy: 'refusedRows', stop, onRetry: (error) => repairRows(context, error) });
}

/** Two sessions may have inserted one token at the same time, and an account may have been deleted since the copy. */
async function repairRows(context: StageContext, error: unknown): Promise<void> {
  if (sqlStateOf(error) === SQLSTATE.uniqueViolation) return settleDoubleTokens(context);
  await settleOrphans(context);
  await sweep(context);
  await context.database.readOnly((session) => refuseUnfit(session, context.schema.legacy));
}

async function settleDoubleTokens(context: StageContext): Promise<void> {
  await settleThose(context, tokensOfSeveral(context.schema.legacy));
}

async function settleOrphans(context: StageContext): Promise<void> {
  await settleThose(context, keysWithoutAccount(context.schema.legacy));
}

async function settleThose(context: StageContext, keys: string): Promise<void> {
  const { rows } = await context.database.readOnly((session) => session.query<{ key_id: string }>(keys));
  await settleKeys(
    context,
    rows.map((row) => row.key_id),
  );
}
