import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { VerdictOptions } from '../mapping/rules/verdicts.js';

/** Plans kept for the single change: by index, as the tables may have been small when they were made. */
export const KEPT_PLANS = ['enable_seqscan = off', 'jit = off', 'plan_cache_mode = force_generic_plan'];

/**
 * The ledger's row about the migration. A transaction whose snapshot is older than this mirror does not see the row: the
 * function is always current, the row is not.
 */
export const THIS_MIGRATION = 'keylift.migration m WHERE m.mirror = keylift.mirror_number()';

/** A value as EXCEPT may compare it: text byte by byte, and types without an order of their own as text. */
export const comparable = (value: string, { byText }: { byText: boolean }): string =>
  byText ? `${value}::text COLLATE "C"` : value;

/**
 * What the mirror adds to the rules: where holds are read, and which account keys of other origin matter.
 *
 * @param crowded SQL of an array: tokens that two other accounts share in any case, as `crowdedTokens` finds them
 */
export const mirrorVerdicts = (l: LegacyFragments, crowded?: string): Omit<VerdictOptions, 'rows'> => ({
  holds: { from: 'ledger' },
  takenElsewhere:
    crowded === undefined ? takenByNativeKey(l) : `(${takenByNativeKey(l)} OR ${l.token()} = ANY (${crowded}))`,
  outlivesItsApi: sql`
    ${l.apiId()} IS NULL AND EXISTS (
      SELECT FROM ${l.target} b
      WHERE b.id = ${l.id()} AND b.origin_api_id = ${l.api()}
    )`,
});

/**
 * Native keys, account keys of other accounts whose per-API row went with its API, and, while finalize archives rows or
 * a rollback restores them, account keys whose row is in the archive.
 */
const takenByNativeKey = (l: LegacyFragments): string => sql`
  EXISTS (
    SELECT FROM ${l.target} b
    WHERE b.token = ${l.token()}
      AND (
        b.origin_api_id IS NULL
        OR b.account_id IS DISTINCT FROM ${l.account()}
          AND NOT EXISTS (SELECT FROM ${l.keys} r WHERE ${l.id('r')} = b.id)
          AND NOT EXISTS (SELECT FROM ${l.apis} g WHERE ${l.apiId('g')} = b.origin_api_id)
        OR b.id <> ${l.id()}
          AND NOT EXISTS (SELECT FROM ${l.keys} r WHERE ${l.id('r')} = b.id)
          AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
          AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
      )
  )`;

/**
 * Conditions on `own.id` and `own.token`: no other row has the token, and no merged key follows the account
 * key. A row of the token that is an exception counts, too: its API or account may exist by now.
 */
export const standsAlone = (l: LegacyFragments): string[] => [
  `NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = own.token AND ${l.id()} <> own.id)`,
  `NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')`,
];

/** The account key `t` has neither its per-API row nor its API any more: it outlives both (rule 15). */
export const outlivesBoth = (l: LegacyFragments): string => sql`
  (
    t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${l.apis} a WHERE ${l.apiId()} = t.origin_api_id)
    AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id AND ${l.isPerApiKey()})
  )`;

/**
 * Calls `keylift.settle`. A condition is no statement of its own. PERFORM is one, and its plan, which the server may be
 * told to log, names the tokens.
 */
export const callSettle = (given: string): string => sql`
  IF keylift.settle(${given}) IS NULL THEN NULL; END IF;`;

/** The legacy rows `k` that have one of these tokens. */
export const rowsOfTokens = (l: LegacyFragments, tokens: string): string =>
  sql`
    unnest(${tokens}) AS given (token)
    JOIN ${l.keys} k ON ${l.token()} = given.token`;
