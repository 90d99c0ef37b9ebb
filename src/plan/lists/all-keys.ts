import { sql } from '../../database/sql.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { everyStoreApi } from '../../mapping/store.js';
import { listOf, REASONS } from '../exceptions.js';
import { countOfStoreApis, decided, duplicatesCte, fromAllKeys, type ListSources } from './verdicts-of-all.js';

/** Columns of `--keys`. A key that opens nothing has nothing in `opens_before` and `opens_after`. */
export const KEYS_HEADER = [
  'key_id',
  'key_name',
  'fingerprint',
  'account_id',
  'account',
  'api_id',
  'api',
  'alive',
  'outcome',
  'reason',
  'account_key_id',
  'opens_before',
  'opens_after',
  'apis_before',
  'apis_after',
] as const;

/**
 * The rows of `--keys`: every per-API key by id, with its outcome, the reason of an exception, and what it opens. The key
 * that will answer for it is `account_key_id`.
 */
export function allKeys(schema: MappedSchema, sources: ListSources): string {
  const { legacy: l, types } = schema;
  return sql`
    /* listing every key with its outcome */
    WITH ${duplicatesCte(schema, sources)}
    SELECT key_id::text, key_name, fingerprint, account_id, account, api_id, api,
      CASE WHEN alive THEN 'yes' ELSE 'no' END AS alive,
      CASE WHEN decided IN ${listOf(REASONS)} THEN 'exception' ELSE decided END AS outcome,
      CASE WHEN decided IN ${listOf(REASONS)} THEN decided END AS reason,
      CASE decided WHEN 'move' THEN key_id::text WHEN 'merge' THEN merged_into END AS account_key_id,
      CASE WHEN opens THEN api END AS opens_before,
      CASE WHEN opens AND widened THEN '${everyStoreApi(l)}' WHEN opens THEN api END AS opens_after,
      CASE WHEN opens THEN '1' ELSE '0' END AS apis_before,
      CASE WHEN opens AND widened THEN store_apis WHEN opens THEN '1' ELSE '0' END AS apis_after
    FROM (
      SELECT *, decided IN ('move', 'merge') AS widened
      FROM (
        ${factsOfKeys(l, sources, fingerprintOf(l.token(), types))}
      ) fact
    ) judged
    ORDER BY judged.key_id`;
}

const factsOfKeys = (l: LegacyFragments, sources: ListSources, fingerprint: string): string => sql`
  SELECT ${l.id()} AS key_id, ${l.name()}::text AS key_name,
    CASE WHEN ${l.hasToken()} THEN ${fingerprint} END AS fingerprint,
    ${l.account()}::text AS account_id, ${l.accountName()}::text AS account,
    ${l.api()}::text AS api_id, ${l.slug()}::text AS api, ${l.alive()} AS alive,
    ${l.alive()} AND ${l.hasToken()} AND ${l.apiId()} IS NOT NULL AS opens,
    duplicates.account_key_id::text AS merged_into, ${countOfStoreApis(l)} AS store_apis,
    ${decided(l, sources)} AS decided
  FROM
    ${fromAllKeys(l)}
  WHERE ${l.isPerApiKey()}
  OFFSET 0 -- keeps PostgreSQL from evaluating a fact once for each use`;
