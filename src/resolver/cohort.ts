import { sql } from '../database/sql.js';

/** Accounts are spread over 1,000,000 buckets. Cohorts are prefixes, so 10% contains 5%. */
export const COHORT_BUCKETS = 1_000_000;

/** SHA-256 rather than PostgreSQL's own hash: it is the same on every major version and outside the database. */
export const bucketOf = (account: string): string => sql`
  (
    ('x' || encode(
      substring(sha256(convert_to((${account})::text, 'UTF8')) FROM 1 FOR 4),
      'hex'
    ))::bit(32)::bigint % ${COHORT_BUCKETS}
  )::integer`;

/**
 * SQL: is this account answered from Settings? For an account that an operator named, the last switch of it decides; for
 * any other the cohorts in force, so that accounts made later follow them.
 */
export const isSwitched = (account: string, cohorts: string): string => sql`
  coalesce(
    (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = ${account}),
    ${cohorts}
      @> ${bucketOf(account)}
  )`;
