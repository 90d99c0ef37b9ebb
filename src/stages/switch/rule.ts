import type { WriteSession } from '../../database/session.js';
import { bucketOf, COHORT_BUCKETS } from '../../resolver/cohort.js';
import type { MappedSchema } from '../../mapping/inspect.js';

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
  await session.query('SELECT FROM keylift.switch_rule FOR UPDATE');
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
  { types }: MappedSchema,
  { ids, switched }: { ids: string[]; switched: boolean },
): Promise<void> {
  await session.query(
    `/* switching accounts of a list */ INSERT INTO keylift.switched_accounts AS s (account_id, switched)
     SELECT DISTINCT id::${types.account}, $2::boolean FROM unnest($1::text[]) AS given (id)
     ON CONFLICT (account_id) DO UPDATE SET switched = excluded.switched WHERE s.switched <> excluded.switched`,
    [ids, switched],
  );
}

async function changeCohorts(session: WriteSession, { upto, back }: { upto: number; back: boolean }): Promise<void> {
  await session.query(
    `/* switching a cohort */ UPDATE keylift.switch_rule SET cohorts = cohorts ${back ? '-' : '+'} int4multirange(int4range(0, $1))`,
    [upto],
  );
  await session.query(`DELETE FROM keylift.switched_accounts WHERE ${bucketOf('account_id')} < $1`, [upto]);
}

const UPDATE_MODE = `
  UPDATE keylift.switch_rule SET mode = CASE
    WHEN isempty(cohorts) AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE switched) THEN 'none'
    WHEN cohorts = int4multirange(int4range(0, ${String(COHORT_BUCKETS)}))
      AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE NOT switched) THEN 'all'
    ELSE 'some' END
  RETURNING mode`;

/**
 * Tokens that both an account key and a key left behind (held, exception) answer for. The mirror writes them down as
 * they come; this finds those that two sessions made at one moment.
 */
const findOverlaps = ({ legacy: l }: MappedSchema): string => `
  INSERT INTO keylift.overlaps (key_id)
    SELECT x.key_id FROM keylift.outcomes x JOIN ${l.keys} k ON ${l.id()} = x.key_id JOIN ${l.target} t ON t.token = ${l.token()}
    WHERE x.outcome IN ('exception', 'hold')
  ON CONFLICT DO NOTHING`;
