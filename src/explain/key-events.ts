import { sql } from '../database/sql.js';
import { isoDate } from '../ledger/moment.js';
import { bucketOf } from '../resolver/cohort.js';
import type { Sources } from './sources.js';
import { coveringBatch } from './statements.js';

/** One event in the life of a key. */
export interface KeyEventRow {
  at: string;
  kind: string;
  facts: unknown;
}

/** The dates of key $1 alone, where there is no ledger or this role may not read it. */
export const keyDates = (sources: Sources): string => inOrder(sourceDates(sources));

/**
 * The events of key $1 of account $2, by date; $3 is true for a moved or merged key. Events of the ledger name no key,
 * and an account only in a list. Of these, the statement takes those about all moved keys, those about a cohort that
 * contains the account, and those about a list that contains it.
 */
export function keyEvents(sources: Sources): string {
  const { legacy: l, types } = sources.schema;
  const id = `$1::text::${types.id}`;
  const account = `$2::text::${types.account}`;
  const target = `${l.target} t WHERE t.id = ${id}`;
  return inOrder([
    ...sourceDates(sources),
    ...(sources.target
      ? dates(target, { used: 't.last_used_at', revoked: 't.revoked_at', expires: 't.expires_at' })
      : []),
    sql`
      SELECT x.settled_at, 'settled', jsonb_build_object('outcome', x.outcome)
      FROM keylift.outcomes x
      WHERE x.key_id = ${id}`,
    sql`
      SELECT b.finished_at::timestamptz, 'batch', jsonb_build_object('batch', b.batch_no)
      FROM (
        ${coveringBatch(sources)}) b
      WHERE b.state = 'done'`,
    sql`
      SELECT happened_at, CASE WHEN kind = 'stage_completed' THEN 'switched' ELSE kind END, facts
      FROM keylift.events
      WHERE $3::boolean
        AND (kind IN ('rolled_back', 'finalized', 'purged')
          OR (kind = 'stage_completed' AND facts->>'stage' = 'switch')
          OR (kind IN ('switched', 'switched_back') AND ${scopeContains(account)}))
        OR (kind = 'accounts_rolled_back'
          AND EXISTS (SELECT FROM keylift.holds h WHERE h.by_rollback AND h.account_id = ${account}))`,
  ]);
}

const scopeContains = (account: string): string => sql`
  CASE facts#>>'{scope,kind}'
    WHEN 'cohort' THEN ${bucketOf(account)} < (facts#>>'{scope,perMillion}')::integer
    WHEN 'accounts' THEN EXISTS (SELECT FROM keylift.switched_accounts s WHERE s.account_id = ${account})
    ELSE true
  END`;

interface Dates {
  used: string;
  revoked: string;
  expires: string;
}

function sourceDates({ schema: { legacy: l, types } }: Sources): string[] {
  const row = `${l.from} WHERE ${l.id()} = $1::text::${types.id} AND ${l.isPerApiKey()}`;
  return dates(row, { used: l.lastUsedAt(), revoked: l.revokedAt(), expires: l.expiresAt() });
}

function dates(row: string, { used, revoked, expires }: Dates): string[] {
  const one = (kind: string, at: string, condition: string): string => sql`
    SELECT (${at})::timestamptz AS at, '${kind}' AS kind, NULL::jsonb AS facts
    FROM ${row} AND ${condition}`;
  return [
    one('last_used', used, `${used} IS NOT NULL`),
    one('revoked', revoked, `${revoked} IS NOT NULL`),
    one('expired', expires, `${expires} <= now()`),
  ];
}

/** Both tables have the dates of a moved key, so equal events count once. */
const inOrder = (parts: readonly string[]): string => sql`
  SELECT ${isoDate('at')} AS at, kind, facts
  FROM (
    SELECT DISTINCT at, kind, facts
    FROM (
      ${parts.join('\nUNION ALL\n')}) happened
  ) each_once
  ORDER BY each_once.at, kind`;
