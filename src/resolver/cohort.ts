/** An account's place among 1,000,000 buckets. Cohorts are prefixes, so 10% contains 5%. */
export const COHORT_BUCKETS = 1_000_000;

/** SHA-256 rather than PostgreSQL's own hash: the same on every major version and outside the database. */
export const bucketOf = (account: string): string =>
  `(('x' || encode(substring(sha256(convert_to((${account})::text, 'UTF8')) FROM 1 FOR 4), 'hex'))::bit(32)::bigint % ${String(COHORT_BUCKETS)})::integer`;

/**
 * SQL: is this account answered from Settings? A named account by what was said of it last, any other by the rule
 * in force, so that accounts made later follow it.
 */
export const isSwitched = (account: string, cohorts: string): string =>
  `coalesce((SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = ${account}), ${cohorts} @> ${bucketOf(account)})`;
