import type { LegacyFragments } from '../mapping/fragments.js';
import { settledByItself } from '../mapping/rules/verdicts.js';

/** Reasons of an exception, in the order the rules ask (rules 7 and 8). */
export const REASONS = [
  'missing_api',
  'missing_account',
  'missing_token',
  'missing_created_at',
  'shared_token',
  'conflicting_status',
] as const;

/** Exceptions a plan lists at most; all are counted. */
export const MAX_EXCEPTIONS_LISTED = 10_000;

/**
 * The first exceptions by key id, as many as `listed`: those a row is by itself, by their ids in $1, and the twins found
 * before, as JSON in $2. A row may be in both.
 */
export function listExceptions(l: LegacyFragments, { idType, listed }: { idType: string; listed: number }): string {
  return `
    /* listing exceptions */
    SELECT e.key_id::text AS key_id, e.reason FROM (
      SELECT ${l.id()} AS key_id, ${settledByItself(l)} AS reason FROM ${l.from} WHERE ${l.id()} = ANY ($1::${idType}[])
      UNION
      SELECT (twin ->> 'key_id')::${idType}, twin ->> 'reason' FROM jsonb_array_elements($2::jsonb) AS twin) e
    ORDER BY e.key_id LIMIT ${String(listed)}`;
}
