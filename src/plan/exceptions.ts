import { sql } from '../database/sql.js';

export interface ExceptionKey {
  key_id: string;
  reason: string;
}

/** Reasons that rows have because of one another (rule 7). */
export const SHARED_REASONS = ['shared_token', 'conflicting_status'] as const;

/** All reasons, in the order of rule 9. A row has the first four whatever other rows have its token (rule 8). */
export const REASONS = [
  'missing_api',
  'missing_account',
  'missing_token',
  'missing_created_at',
  ...SHARED_REASONS,
] as const;

/** Exceptions a plan lists at most; all are counted. */
export const MAX_EXCEPTIONS_LISTED = 10_000;

/** The first exceptions of `rows (key_id, reason)` by key id, as JSON that is read as `ExceptionKey[]`. */
export const firstExceptions = (rows: string, listed: number): string => sql`
  SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', reason) ORDER BY key_id), '[]')
  FROM (
    SELECT key_id, reason
    FROM ${rows}
    ORDER BY key_id
    LIMIT ${listed}
  ) exceptions`;

/** Two such lists, as JSON in $1 and $2, as one. PostgreSQL sorts: the ids have an order of their own. */
export const mergeExceptions = ({ idType, listed }: { idType: string; listed: number }): string => sql`
  /* sorting exceptions */
  SELECT (
    ${firstExceptions(
      sql`
        (
          SELECT * FROM jsonb_to_recordset($1::jsonb) AS one (key_id ${idType}, reason text)
          UNION ALL
          SELECT * FROM jsonb_to_recordset($2::jsonb) AS other (key_id ${idType}, reason text)
        ) both_lists`,
      listed,
    )}
  ) AS exceptions`;

/** A list of the reasons in SQL. */
export const listOf = (reasons: readonly string[]): string => `(${reasons.map((r) => `'${r}'`).join(', ')})`;
