import { sql } from '../../database/sql.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { decided, duplicatesCte, fromAllKeys, isDormant, type ListSources } from './verdicts-of-all.js';

/**
 * Columns of `--dormant`. `--holds` reads `key_id` and ignores the others. The owner is not called `account_id`: `--holds`
 * would then hold every key of the account.
 */
export const DORMANT_HEADER = [
  'key_id',
  'key_name',
  'fingerprint',
  'owner_id',
  'owner',
  'api',
  'created_at',
  'last_used_at',
] as const;

/**
 * The rows of `--dormant`, by account and id: the keys that `widening.dormant_keys` counts. Keys that do not move are not
 * in the list, because a hold changes nothing for them.
 */
export function dormantKeys(schema: MappedSchema, sources: ListSources): string {
  const { legacy: l, types } = schema;
  return sql`
    /* listing the dormant keys */
    WITH ${duplicatesCte(schema, sources)}
    SELECT ${l.id()}::text AS key_id, ${l.name()}::text AS key_name, ${fingerprintOf(l.token(), types)} AS fingerprint,
      ${l.account()}::text AS owner_id, ${l.accountName()}::text AS owner, ${l.slug()}::text AS api,
      (${l.createdAt()})::text AS created_at, (coalesce(duplicates.last_used_at, ${l.lastUsedAt()}))::text AS last_used_at
    FROM
      ${fromAllKeys(l)}
    WHERE ${l.isPerApiKey()} AND ${l.alive()} AND ${isDormant(l)}
      AND 'move' = ${decided(l, sources)}
    ORDER BY ${l.account()}, ${l.id()}`;
}
