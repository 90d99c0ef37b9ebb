import { bucketOf } from '../resolver/cohort.js';
import type { Scene } from './scene.js';
import { coveringBatch } from './statements.js';

/** One row of `happenings`. */
export interface HappeningRow {
  at: string;
  kind: string;
  facts: unknown;
}

interface Dates {
  used: string;
  revoked: string;
  expires: string;
}

/** What the dates of key $1 tell, where nobody migrated or may look: by date. */
export const datesOf = (scene: Scene): string => ordered(sourceDates(scene));

/**
 * What happened to key $1 of account $2, by date; $3: did it become an account key, or part of one? Events name no
 * keys and seldom accounts: those are told that were about every moved key, about a cohort that has the account in
 * it, or about accounts named one by one, as this one was.
 */
export function happenings(scene: Scene): string {
  const { legacy: l, types } = scene.schema;
  const id = `$1::text::${types.id}`;
  const account = `$2::text::${types.account}`;
  return ordered([
    ...sourceDates(scene),
    ...(scene.target
      ? dates(`${l.target} t WHERE t.id = ${id}`, {
          used: 't.last_used_at',
          revoked: 't.revoked_at',
          expires: 't.expires_at',
        })
      : []),
    `SELECT x.settled_at, 'settled', jsonb_build_object('outcome', x.outcome) FROM keylift.outcomes x WHERE x.key_id = ${id}`,
    `SELECT b.finished_at::timestamptz, 'batch', jsonb_build_object('batch', b.batch_no) FROM (${coveringBatch(scene)}) b WHERE b.state = 'done'`,
    `SELECT happened_at, CASE WHEN kind = 'stage_completed' THEN 'switched' ELSE kind END, facts FROM keylift.events
      WHERE $3::boolean AND (kind IN ('rolled_back', 'finalized', 'purged') OR (kind = 'stage_completed' AND facts->>'stage' = 'switch')
        OR (kind IN ('switched', 'switched_back') AND CASE facts#>>'{scope,kind}'
          WHEN 'cohort' THEN ${bucketOf(account)} < (facts#>>'{scope,perMillion}')::integer
          WHEN 'accounts' THEN EXISTS (SELECT FROM keylift.switched_accounts s WHERE s.account_id = ${account})
          ELSE true END))
      OR (kind = 'accounts_rolled_back' AND EXISTS (SELECT FROM keylift.holds h WHERE h.by_rollback AND h.account_id = ${account}))`,
  ]);
}

function sourceDates({ schema: { legacy: l, types } }: Scene): string[] {
  const row = `${l.from} WHERE ${l.id()} = $1::text::${types.id} AND ${l.isPerApiKey()}`;
  return dates(row, { used: l.lastUsedAt(), revoked: l.revokedAt(), expires: l.expiresAt() });
}

function dates(row: string, { used, revoked, expires }: Dates): string[] {
  const one = (kind: string, at: string, when: string): string =>
    `SELECT (${at})::timestamptz AS at, '${kind}' AS kind, NULL::jsonb AS facts FROM ${row} AND ${when}`;
  return [
    one('last_used', used, `${used} IS NOT NULL`),
    one('revoked', revoked, `${revoked} IS NOT NULL`),
    one('expired', expires, `${expires} <= now()`),
  ];
}

/** Both tables tell the same dates; of two last uses the later one counts. */
const ordered = (parts: readonly string[]): string => `
    SELECT at::text AS at, kind, facts FROM (
      SELECT DISTINCT at, kind, facts FROM (${parts.join(' UNION ALL ')}) happened
    ) each_once ORDER BY each_once.at, kind`;
