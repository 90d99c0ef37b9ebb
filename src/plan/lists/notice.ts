import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { everyStoreApi } from '../../mapping/store.js';
import { countOfStoreApis, decided, duplicatesCte, fromAllKeys, type ListSources } from './verdicts-of-all.js';
import type { WrittenList } from './csv-file.js';

/** Columns of the notice. API slugs are separated by spaces. */
export const NOTICE_HEADER = [
  'account_id',
  'account',
  'key_id',
  'key_name',
  'opens_before',
  'opens_after',
  'apis_before',
  'apis_after',
] as const;

export interface Notice extends WrittenList {
  /** Slugs of the store APIs, for the text of the notice; null where they differ by account. */
  store_apis: string[] | null;
}

/**
 * The rows of the list for a notice to customers: the living keys that move, by account and creation, each with the store
 * APIs that it, or a key merged into it, opens now. The APIs that it will open are the same for every key, so a row has
 * their number only. Of 300,000 keys and 200 APIs, a list in each row would be 500 MB.
 */
export function widenedKeys(schema: MappedSchema, sources: ListSources): string {
  const { legacy: l } = schema;
  return sql`
    /* listing the keys that are widened */
    WITH ${duplicatesCte(schema, sources)}, merged AS MATERIALIZED (
      ${apisOfMergedKeys(l)}
    )
    SELECT ${l.account()}::text AS account_id, ${l.accountName()}::text AS account,
      ${l.id()}::text AS key_id, ${l.name()}::text AS key_name,
      coalesce(merged.slugs, ${l.slug()}::text) AS opens_before, '${everyStoreApi(l)}' AS opens_after,
      coalesce(merged.apis, 1)::text AS apis_before, ${countOfStoreApis(l)} AS apis_after
    FROM
      ${fromAllKeys(l)}
      LEFT JOIN merged ON merged.key_id = ${l.id()}
    WHERE ${l.isPerApiKey()} AND ${l.alive()}
      AND 'move' = ${decided(l, sources)}
    ORDER BY ${l.account()}, ${l.createdAt()}, ${l.id()}`;
}

/** The slugs that rows of a repeated token open, and their number, by the key that will stand for them. */
const apisOfMergedKeys = (l: LegacyFragments): string => sql`
  SELECT v.account_key_id AS key_id, string_agg(DISTINCT ${slugOf(l)}, ' ' ORDER BY ${slugOf(l)}) AS slugs,
    count(DISTINCT ${l.apiId()}) AS apis
  FROM duplicates v
    JOIN ${l.keys} k ON ${l.id()} = v.key_id
    JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
    ${l.apiNeedsAccount ? `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}` : ''}
  WHERE v.decided IN ('move', 'merge')
  GROUP BY 1`;

/** The slugs of all store APIs; null where each account has store APIs of its own. */
export async function storeApis(session: ReadSession, { legacy: l }: MappedSchema): Promise<string[] | null> {
  if (l.apiNeedsAccount) return null;
  const { rows } = await session.query<{ slug: string | null }>(
    `SELECT ${slugOf(l)} AS slug FROM ${l.apis} a WHERE ${l.inStore()} ORDER BY 1`,
  );
  return rows.map(({ slug }) => slug ?? '');
}

const slugOf = (l: LegacyFragments): string => `${l.slug()}::text COLLATE "C"`;
