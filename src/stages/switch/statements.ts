import { sql, type Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { bucketOf, COHORT_BUCKETS, isSwitched } from '../../resolver/cohort.js';

export const LOCK_RULE = 'SELECT FROM keylift.switch_rule FOR UPDATE';

/** Switches the accounts $1, or switches them back. */
export const switchNamed = ({ types }: MappedSchema): string => sql`
  /* switching accounts of a list */
  INSERT INTO keylift.switched_accounts AS s (account_id, switched)
  SELECT DISTINCT id::${types.account}, $2::boolean
  FROM unnest($1::text[]) AS given (id)
  ON CONFLICT (account_id) DO UPDATE SET switched = excluded.switched
  WHERE s.switched <> excluded.switched`;

/** Switches the accounts of the first $1 buckets, or switches them back. */
export const switchCohort = ({ back }: { back: boolean }): string => sql`
  /* switching a cohort */
  UPDATE keylift.switch_rule SET cohorts = cohorts ${back ? '-' : '+'} int4multirange(int4range(0, $1))`;

/** An account that was named before follows the cohort that contains it. */
export const FORGET_NAMED = sql`
  DELETE FROM keylift.switched_accounts
  WHERE ${bucketOf('account_id')} < $1`;

export const UPDATE_MODE = sql`
  UPDATE keylift.switch_rule
  SET mode = CASE
    WHEN isempty(cohorts) AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE switched) THEN 'none'
    WHEN cohorts = int4multirange(int4range(0, ${COHORT_BUCKETS}))
      AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE NOT switched) THEN 'all'
    ELSE 'some'
  END
  RETURNING mode`;

/**
 * Tokens that both an account key and a held key or an exception answer for. The mirror notes them as they come; this
 * finds those that two sessions made at the same time.
 */
export const findOverlaps = ({ legacy: l }: MappedSchema): string => sql`
  INSERT INTO keylift.overlaps (key_id)
  SELECT x.key_id
  FROM keylift.outcomes x
    JOIN ${l.keys} k ON ${l.id()} = x.key_id
    JOIN ${l.target} t ON t.token = ${l.token()}
  WHERE x.outcome IN ('exception', 'hold')
  ON CONFLICT DO NOTHING`;

export const countSwitchedAccounts = ({ legacy: l }: MappedSchema): string => sql`
  SELECT
    count(*) FILTER (WHERE ${isSwitched(l.accountId(), '(SELECT cohorts FROM keylift.switch_rule)')}) AS switched,
    count(*) AS total
  FROM ${l.accounts} o`;

export const switchStatements = (schema: MappedSchema): Statement[] => [
  { title: 'lock the switch rule', text: LOCK_RULE },
  {
    title: 'switch all accounts, or a cohort',
    text: switchCohort({ back: false }),
    variants: { differ: 'the way back takes the cohort out', texts: [switchCohort({ back: true })] },
  },
  { title: 'accounts named before follow the cohort that contains them', text: FORGET_NAMED },
  { title: 'switch the accounts of a list', text: switchNamed(schema) },
  { title: 'none, some or all', text: UPDATE_MODE },
  { title: 'note tokens that both tables answer for', text: findOverlaps(schema) },
  { title: 'count the switched accounts', text: countSwitchedAccounts(schema) },
];
