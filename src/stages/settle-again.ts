import { sql } from '../database/sql.js';
import { copiedColumns } from '../mapping/copy.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { heldByName, settledByItself } from '../mapping/rules/verdicts.js';
import type { StageContext } from '../run/context.js';

/** Keys that one transaction settles. */
const PAGE_KEYS = 2_000;
const MOST_ROUNDS = 20;

/** Settles the keys $1. */
export const settleIds = (idType: string): string => sql`
  /* settle keys again */
  SELECT keylift.settle_ids($1::text[]::${idType}[])`;

/**
 * Keys whose verdict may have changed without a change of their row: a date has passed, holds were replaced, or an
 * expression looks at another table.
 */
export const mayHaveChanged = (l: LegacyFragments, { holds }: { holds: boolean }): string => sql`
  SELECT x.key_id FROM keylift.outcomes x
  ${holds ? nowHeld(l) : ''}
  ${changedElsewhere(l)}`;

/** A hold applies to all rows of the token: the key that it names may be a custom API's, and a duplicate the one that moved. */
const nowHeld = (l: LegacyFragments): string => sql`
  UNION
  SELECT ${l.id()}
  FROM ${l.keys} k
    JOIN ${l.target} t ON t.token = ${l.token()}
  WHERE t.origin_api_id IS NOT NULL AND ${l.isPerApiKey()}
    AND ${heldByName(l, { from: 'ledger' })}`;

/** No trigger sees a change of another table that an expression of the configuration reads. */
function changedElsewhere(l: LegacyFragments): string {
  const computed = copiedColumns(l).filter(({ computed: byExpression }) => byExpression);
  if (computed.length === 0) return '';
  return sql`
    UNION
    SELECT t.id
    FROM ${l.target} t JOIN ${l.keys} k ON ${l.id()} = t.id
    WHERE t.origin_api_id IS NOT NULL
      AND record_image_ne(
        ROW(${computed.map((c) => `t.${c.target}`).join(', ')}),
        ROW(${computed.map((c) => c.source).join(', ')}))`;
}

/** Rows without an account key and without an outcome, and account keys without a row: written past the triggers. */
export const unaccounted = (l: LegacyFragments): string => sql`
  SELECT ${l.id()} AS key_id
  FROM ${l.from}
  WHERE ${l.isPerApiKey()}
    AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
  UNION ALL
  SELECT t.id
  FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id AND ${l.isPerApiKey()})`;

async function hasHolds({ database }: StageContext): Promise<boolean> {
  const { holds } = await database.readOnly((s) =>
    s.one<{ holds: boolean }>('SELECT EXISTS (SELECT FROM keylift.holds) AS holds'),
  );
  return holds;
}

/** Settles again what time, holds or another table may have changed, once the mirror is on. */
export async function settleAgain(context: StageContext): Promise<void> {
  await settleAll(context, mayHaveChanged(context.schema.legacy, { holds: await hasHolds(context) }));
}

/** Adds the keys that a query finds to the change log. */
export const logKeys = (keys: string): string => sql`
  /* harden: log the keys whose verdict may have changed */
  INSERT INTO keylift.change_log (key_id)
  ${keys}`;

/** The same before the mirror is on: these keys go through the change log. */
export async function logAgain(context: StageContext): Promise<void> {
  const keys = mayHaveChanged(context.schema.legacy, { holds: await hasHolds(context) });
  await context.database.transaction((session) => session.query(logKeys(keys)), {
    name: 'harden: log the keys whose verdict may have changed',
  });
}

/** Settles keys that were written past the triggers, until none is left. Returns how many. */
export async function settleUnaccounted(context: StageContext): Promise<number> {
  let settled = 0;
  for (let round = 1; ; round += 1) {
    const found = await settleAll(context, unaccounted(context.schema.legacy));
    if (found === 0) return settled;
    if (round > MOST_ROUNDS) throw new Error('keys stay unaccounted for, however often they are settled');
    context.emit({
      kind: 'step',
      text: `settled ${String(found)} keys that were written past the mirror`,
      rows: found,
    });
    settled += found;
  }
}

/** The keys that a query finds, as text. */
export const idsOf = (keys: string): string => sql`
  SELECT key_id::text AS key_id
  FROM (
    ${keys}
  ) AS key`;

async function settleAll(context: StageContext, statement: string): Promise<number> {
  const { rows } = await context.database.readOnly((s) => s.query<{ key_id: string }>(idsOf(statement)));
  await settleKeys(
    context,
    rows.map((row) => row.key_id),
  );
  return rows.length;
}

/** Settles these keys anew, with all that are decided together with them, page by page. */
export async function settleKeys({ database, schema }: StageContext, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += PAGE_KEYS) {
    const page = ids.slice(at, at + PAGE_KEYS);
    await database.transaction((session) => session.query(settleIds(schema.types.id), [page]), {
      name: 'settle a page of keys again',
      retry: 'underLoad',
    });
  }
}
