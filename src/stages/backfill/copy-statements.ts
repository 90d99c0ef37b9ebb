import { commaList, sql, type Statement } from '../../database/sql.js';
import { copiedColumns } from '../../mapping/copy.js';
import { withApi, type LegacyFragments } from '../../mapping/fragments.js';
import { heldByName, settledByItself } from '../../mapping/rules/verdicts.js';

const inRange = (id: string, type: string): string =>
  `($1::${type} IS NULL OR ${id} > $1::${type}) AND ${id} <= $2::${type}`;

/** What a range holds already. While the range is locked no session can add to it, so the copy need not look again. */
export interface RangeFacts {
  /** Account keys with ids in the range: brought by the mirror, or native. */
  present: boolean;
  /** Keys of the range with an outcome: exceptions, holds and duplicates that the mirror met. */
  outcomes: boolean;
  /** Keys of the range on the list: duplicates, and keys without an account. */
  listed: boolean;
  holds: boolean;
  /** Look at accounts, too: no list of the keys without one exists. */
  accounts?: boolean;
}

export function lookAtRange(l: LegacyFragments, idType: string): string {
  const anyIn = (table: string, id: string): string => sql`
    EXISTS (
      SELECT FROM ${table}
      WHERE ${inRange(id, idType)}
    )`;
  return sql`
  /* looking at a range */
  SELECT
    ${anyIn(`${l.target} t`, 't.id')} AS present,
    ${anyIn('keylift.outcomes x', 'x.key_id')} AS outcomes,
    ${anyIn('keylift.to_judge j', 'j.key_id')} AS listed,
    EXISTS (SELECT FROM keylift.holds) AS holds`;
}

/** What one range came to; the counts add up to `rows`. */
export interface RangeCounts {
  rows: string;
  moved: string;
  stayed: string;
  set_aside: string;
}

/**
 * The copy: one pass over a range gives each of its keys a reason not to become an account key, or none. A key without
 * one is copied, every value verbatim. Rows that the mirror brought, that have an outcome, or that are listed, are left
 * alone; whether accounts exist was asked of all keys at once (`listOrphans`). Conditions that can match nothing in this
 * range are left out: they mislead the planner.
 */
export function copyRange(l: LegacyFragments, idType: string, facts: RangeFacts): string {
  const columns = [...copiedColumns(l), { target: 'last_used_at', source: l.lastUsedAt() }];
  const numbered = columns.map((_, at) => `c${String(at)}`);
  return sql`
    /* copying a batch */
    WITH seen AS MATERIALIZED (
      SELECT
        ${l.id()} AS key_id,
        ${commaList(columns.map((c, at) => `${c.source} AS ${numbered[at]!}`))},
        ${facts.holds ? heldByName(l, { from: 'ledger' }) : 'false'} AS held,
        ${reasonOf(l, idType, facts)} AS reason
      FROM
        ${facts.accounts === true ? l.from : withApi(l)}
      WHERE ${inRange(l.id(), idType)}
        AND ${l.isPerApiKey()}
    ), moved AS (
      INSERT INTO ${l.target}
        (${commaList(['id', ...columns.map((c) => c.target)])})
      SELECT ${commaList(['key_id', ...numbered])}
      FROM seen
      WHERE reason IS NULL AND NOT held
      RETURNING 1
    ), excluded AS (
      INSERT INTO keylift.outcomes (key_id, outcome, reason)
      SELECT key_id, CASE WHEN reason IS NULL THEN 'hold' ELSE 'exception' END, reason
      FROM seen
      WHERE reason NOT IN ('present', 'explained', 'listed', 'stay') OR (reason IS NULL AND held)
      RETURNING 1
    )
    SELECT
      count(*) AS rows,
      count(*) FILTER (WHERE reason = 'present') + (SELECT count(*) FROM moved) AS moved,
      count(*) FILTER (WHERE reason = 'stay') AS stayed,
      count(*) FILTER (WHERE reason IN ('explained', 'listed')) + (SELECT count(*) FROM excluded) AS set_aside
    FROM seen`;
}

/**
 * Why a key does not become an account key. IN, of ids that are never null, keeps the rows in the order of their ids,
 * which the primary key takes fastest; a join may hash them and return them in any order.
 */
function reasonOf(l: LegacyFragments, idType: string, facts: RangeFacts): string {
  const own = settledByItself(l, facts.accounts === true ? undefined : `${l.account()} IS NULL`);
  const isIn = (table: string, id: string): string => sql`
    ${l.id()} IN (
      SELECT ${id} FROM ${table}
      WHERE ${inRange(id, idType)}
    )`;
  const before = [
    ...(facts.listed ? [sql`WHEN ${isIn('keylift.to_judge j', 'j.key_id')} THEN 'listed'`] : []),
    ...(facts.outcomes ? [sql`WHEN ${isIn('keylift.outcomes x', 'x.key_id')} THEN 'explained'`] : []),
    ...(facts.present ? [sql`WHEN ${isIn(`${l.target} t`, 't.id')} THEN 'present'`] : []),
  ];
  if (before.length === 0) return own;
  return sql`
    CASE
      ${before.join('\n')}
      ELSE
        ${own}
    END`;
}

/** All forms of the copy: each condition is in it, or is left out. */
export function copyStatement(l: LegacyFragments, idType: string): Statement {
  const [full, ...texts] = everyCombination().map((facts) => copyRange(l, idType, facts));
  return {
    title: 'copy one range of keys ($1 < id <= $2) and account for each, one transaction a batch',
    text: full!,
    variants: { differ: 'they leave out conditions that can match nothing in the range', texts },
  };
}

const everyCombination = (): RangeFacts[] =>
  Array.from({ length: 16 }, (_, at) => ({
    present: (at & 1) === 0,
    outcomes: (at & 2) === 0,
    listed: (at & 4) === 0,
    holds: (at & 8) === 0,
  }));

/** Sessions that planned their lookups on the empty table plan anew: nothing else shows them that it grew. */
export const analyze = ({ target }: LegacyFragments): string => `ANALYZE ${target}`;
