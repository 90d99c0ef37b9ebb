import type { Migration } from '../../../migrations/context.js';
import { STEPS } from '../../../migrations/index.js';
import { SQLSTATE, sqlStateOf } from '../../database/sqlstate.js';
import type { StageContext } from '../context.js';
import { settleKeys, sweep } from '../backfill/sweep.js';
import { refuseUnfit } from './unfit.js';

const MAX_TRIES = 5;

/** Indexes, constraints and their validation; the resolver learns to answer switched accounts. */
export async function harden(context: StageContext): Promise<void> {
  const done = await context.ddl.completed();
  for (const step of STEPS.harden) if (!done.has(step.name)) await runStep(context, step);
}

/** The first step alone, for whoever has its keys and time before the stage begins; `harden` finds it done. */
export const hardenEarly = (context: StageContext): Promise<void> => runStep(context, STEPS.harden[0]);

async function runStep(context: StageContext, step: Migration): Promise<void> {
  context.stop.throwIfAborted();
  context.progress.note(step.name.replace(/^\d+_/, '').replaceAll('_', ' '));
  for (let attempt = 1; ; attempt += 1) {
    try {
      await context.ddl.up([step]);
      return;
    } catch (error) {
      if (attempt >= MAX_TRIES || !(await mended(context, error))) throw error;
    }
  }
}

/** Two sessions that inserted one token at one moment saw nothing of each other; an account may have gone meanwhile. */
async function mended(context: StageContext, error: unknown): Promise<boolean> {
  const state = sqlStateOf(error);
  if (state === SQLSTATE.uniqueViolation) {
    await settleDoubleTokens(context);
    return true;
  }
  if (state === SQLSTATE.foreignKeyViolation || state === SQLSTATE.checkViolation) {
    await settleOrphans(context);
    await sweep(context);
    await context.database.readOnly((session) => refuseUnfit(session, context.schema.legacy));
    return true;
  }
  return false;
}

async function settleDoubleTokens(context: StageContext): Promise<void> {
  const { target } = context.schema.legacy;
  await settleThose(
    context,
    `SELECT t.id::text AS key_id FROM ${target} t WHERE t.token IN (SELECT token FROM ${target} GROUP BY token HAVING count(*) > 1)`,
  );
}

async function settleOrphans(context: StageContext): Promise<void> {
  const { legacy: l } = context.schema;
  await settleThose(
    context,
    `
    SELECT t.id::text AS key_id FROM ${l.target} t
    WHERE t.origin_api_id IS NOT NULL AND NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = t.account_id)`,
  );
}

async function settleThose(context: StageContext, keys: string): Promise<void> {
  const { rows } = await context.database.readOnly((session) => session.query<{ key_id: string }>(keys));
  await settleKeys(
    context,
    rows.map((row) => row.key_id),
  );
}
