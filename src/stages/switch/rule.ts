import type { WriteSession } from '../../database/session.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { COHORT_BUCKETS } from '../../resolver/cohort.js';
import { findOverlaps, FORGET_NAMED, LOCK_RULE, switchCohort, switchNamed, UPDATE_MODE } from './statements.js';

/** Whose keys a switch concerns. A cohort is a share of all accounts in millionths: 5% is 50,000. */
export type SwitchScope =
  { kind: 'all' } | { kind: 'cohort'; perMillion: number } | { kind: 'accounts'; ids: string[] };

export interface SwitchOrder {
  scope: SwitchScope;
  /** The way back: these accounts are answered by their per-API keys again. */
  back: boolean;
}

export type SwitchMode = 'none' | 'some' | 'all';

/**
 * Changes who is answered from Settings, in the caller's transaction: for every session at once, when it commits.
 * What is said last of an account holds; accounts made later follow the cohorts.
 */
export async function applySwitch(
  session: WriteSession,
  schema: MappedSchema,
  order: SwitchOrder,
): Promise<SwitchMode> {
  await session.query(LOCK_RULE);
  if (order.scope.kind === 'accounts')
    await nameAccounts(session, schema, { ids: order.scope.ids, switched: !order.back });
  else
    await changeCohorts(session, {
      upto: order.scope.kind === 'all' ? COHORT_BUCKETS : order.scope.perMillion,
      back: order.back,
    });
  const { mode } = await session.one<{ mode: SwitchMode }>(UPDATE_MODE);
  if (mode !== 'none') await session.query(findOverlaps(schema));
  return mode;
}

async function nameAccounts(
  session: WriteSession,
  schema: MappedSchema,
  { ids, switched }: { ids: string[]; switched: boolean },
): Promise<void> {
  await session.query(switchNamed(schema), [ids, switched]);
}

async function changeCohorts(session: WriteSession, { upto, back }: { upto: number; back: boolean }): Promise<void> {
  await session.query(switchCohort({ back }), [upto]);
  await session.query(FORGET_NAMED, [upto]);
}
