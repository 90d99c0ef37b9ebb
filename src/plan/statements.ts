import type { LegacyFragments } from '../legacy/fragments.js';
import { heldByName, settledByItself, verdicts, type HoldsSource } from '../legacy/rules.js';
import { bornTokens, takenInSettings } from './born.js';

/** A living key not used for this long, or never, is dormant: widening it serves nobody. */
export const DORMANT_AFTER = '90 days';

/** Reasons of an exception, in the order the rules ask (rules 7 and 8). */
export const REASONS = ['missing_api', 'missing_account', 'missing_token', 'missing_created_at', 'shared_token', 'conflicting_status'] as const;

/** Exceptions the plan lists; all are counted. */
export const MAX_EXCEPTIONS_LISTED = 10_000;

export interface TwinsOptions {
  holds: HoldsSource;
  /** Is there an index that finds a row by its token? Then the few twins are fetched by it. */
  tokenIndexed: boolean;
  /** The table with keys born in Settings, or null. */
  born: string | null;
}

export interface OthersOptions {
  /** Null: nobody holds anything. */
  holds: HoldsSource | null;
  idType: string;
  accountType: string;
}

const dormant = (lastUsedAt: string, since = `(SELECT now() - interval '${DORMANT_AFTER}')`): string => `coalesce(${lastUsedAt} < ${since}, true)`;

/**
 * The keys that share their token, also with a key born in Settings, judged with one another: counts by class, the dormant ones, the accounts that are
 * widened, exceptions, and the ids of all, which the count of the others leaves out. A class is an outcome, an
 * exception's reason, or `widened` for a living key that moves. Arrays come as text: nobody here looks into them, nor
 * into the moment before which a last use makes a key dormant.
 */
export function countTwins(l: LegacyFragments, { holds, tokenIndexed, born }: TwinsOptions): string {
  const rows = `${l.hasToken} AND ${l.token} ${tokenIndexed ? '= ANY (ARRAY(SELECT token FROM repeated))' : 'IN (SELECT token FROM repeated)'}`;
  return `
    /* planning the keys with repeated tokens */
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey} GROUP BY ${l.token} HAVING count(*) > 1
      ${bornTokens(born)}
    ), together AS MATERIALIZED (
      SELECT key_id, account_id, ${dormant('last_used_at')} AS dormant,
        CASE WHEN outcome = 'exception' THEN reason WHEN outcome = 'move' AND alive THEN 'widened' ELSE outcome END AS class
      FROM (${verdicts(l, { holds, rows, ...takenInSettings(born, l.token) })}) v
    )
    SELECT (SELECT coalesce(jsonb_object_agg(class, keys), '{}') FROM (SELECT class, count(*) AS keys FROM together GROUP BY class) c) AS classes,
      (SELECT count(*) FROM together WHERE class = 'widened' AND dormant) AS dormant_keys,
      (now() - interval '${DORMANT_AFTER}')::text AS dormant_since,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM together) AS key_ids,
      (SELECT coalesce(array_agg(DISTINCT account_id), '{}')::text FROM together WHERE class = 'widened') AS widened_accounts,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', class)), '[]') FROM (
        SELECT key_id, class FROM together WHERE class NOT IN ('move', 'widened', 'merge', 'hold', 'stay')
        ORDER BY key_id LIMIT ${String(MAX_EXCEPTIONS_LISTED)}) e) AS exceptions`;
}

/** Classes a key may have by itself; `move` is what is left. */
export const CLASSES_BY_THEMSELVES = ['stay', 'missing_api', 'missing_account', 'missing_token', 'missing_created_at', 'hold', 'widened'] as const;

/**
 * Accounts are counted as bits of words of 64 neighbours: a sixty-fourth of the groups, few enough for workers to
 * count apart and hand on. Ids that are no integers are words of one.
 */
const wordOf = (account: string, type: string): { word: string; bit: string } =>
  (/^(bigint|integer|smallint)$/.test(type) ? { word: `(${account})::bigint >> 6`, bit: `((${account})::bigint & 63)::int` } : { word: account, bit: '0' });

/**
 * All other keys, each a matter of its own: one scan joined to APIs and accounts, which workers can share. The
 * unnest() is a fence: a row's class is found out once, not anew for each use of it, and unlike OFFSET 0 it does not
 * keep the workers away. $1: ids to leave out, the twins'; $2: accounts that twins widen already; $3: when dormancy
 * begins; the holds' parameters follow.
 */
export function countOthers(l: LegacyFragments, { holds, idType, accountType }: OthersOptions): string {
  const held = holds === null ? 'false' : heldByName(l, holds);
  const { word, bit } = wordOf(l.account, accountType);
  const twin = wordOf('twin.account_id', accountType);
  return `
    /* planning all other keys */
    WITH words AS MATERIALIZED (
      SELECT word, class, count(*) AS keys, count(*) FILTER (WHERE dormant) AS dormant, bit_or(1::bigint << bit) AS accounts,
        array_agg(key_id) FILTER (WHERE class LIKE 'missing%') AS exceptions
      FROM (
        SELECT ${l.id} AS key_id, ${word} AS word, ${bit} AS bit, ${dormant(l.lastUsedAt, '$3::timestamptz')} AS dormant,
          unnest(ARRAY[coalesce(${settledByItself(l)}, CASE WHEN ${held} THEN 'hold' WHEN ${l.alive} THEN 'widened' ELSE 'move' END)]) AS class
        FROM ${l.from}
        WHERE ${l.isPerApiKey} AND NOT (${l.id} IN (SELECT unnest($1::${idType}[])))) classified
      GROUP BY word, class
    )
    SELECT coalesce(sum(keys), 0) AS keys, coalesce(sum(dormant) FILTER (WHERE class = 'widened'), 0) AS dormant,
      ${CLASSES_BY_THEMSELVES.map((name) => `coalesce(sum(keys) FILTER (WHERE class = '${name}'), 0) AS ${name}`).join(', ')},
      coalesce(sum(bit_count(accounts::bit(64))) FILTER (WHERE class = 'widened'), 0) + (
        SELECT count(*) FROM unnest($2::${accountType}[]) AS twin (account_id)
        WHERE NOT EXISTS (SELECT FROM words w WHERE w.class = 'widened' AND w.word = ${twin.word} AND w.accounts & (1::bigint << ${twin.bit}) <> 0)) AS widened_accounts,
      (SELECT count(*) FROM ${l.apis} a WHERE ${l.inStore}) AS store_apis,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM (
        SELECT unnest(exceptions) AS key_id FROM words WHERE exceptions IS NOT NULL
        ORDER BY 1 LIMIT ${String(MAX_EXCEPTIONS_LISTED)}) first) AS exceptions
    FROM words`;
}

/** All exceptions by key id, at most 10,000: those a row is by itself, by their ids in $1, and the twins found before, as JSON in $2. */
export function listExceptions(l: LegacyFragments, idType: string): string {
  return `
    /* listing exceptions */
    SELECT e.key_id::text AS key_id, e.reason FROM (
      SELECT ${l.id} AS key_id, ${settledByItself(l)} AS reason FROM ${l.from} WHERE ${l.id} = ANY ($1::${idType}[])
      UNION ALL
      SELECT (twin ->> 'key_id')::${idType}, twin ->> 'reason' FROM jsonb_array_elements($2::jsonb) AS twin) e
    ORDER BY e.key_id LIMIT ${String(MAX_EXCEPTIONS_LISTED)}`;
}
