import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import {
  exceptionByItself,
  heldByName,
  mayMoveByItself,
  settledByItself,
  staysByItself,
  type HoldsSource,
} from '../mapping/rules/verdicts.js';
import { dormant } from './dormant.js';

/** So many accounts that are not there are named; with more, their keys are found by the accounts' absence. */
export const MAX_ABSENT_NAMED = 1_000;

export interface AloneOptions {
  /** Null: nobody holds anything. */
  holds: HoldsSource | null;
  accountType: string;
  /** SQL of the moment before which a last use makes a key dormant. */
  dormantSince: string;
  /** Ids of exceptions to name at most. */
  listed: number;
}

/** What `countAlone` answers. Counts are decimal text; arrays are text as PostgreSQL writes them, handed back as they came. */
export interface CountedAlone {
  keys: string;
  stay: string;
  hold: string;
  /** Living keys that may move, the dormant among them, and the accounts they are of, as far as these are there. */
  widened: string;
  dormant: string;
  widened_accounts: string;
  /** Exceptions by reason, and the first ids of them. */
  reasons: Record<string, number>;
  exceptions: string;
  /** Accounts that keys of the store name and that are not there: how many, and the first of them. */
  absent: string;
  absent_accounts: string;
  /** Is there a key of the store that names no account at all? */
  nobodys: boolean;
}

/**
 * Counts keys as if each had its token to itself and its account were there: one scan that workers can share, joined to
 * the APIs alone. Whether an account is there is asked of each account, and not of each of its keys. What is otherwise
 * for some keys is for the caller to correct; `absent_accounts` says for whose.
 */
export function countAlone(
  legacy: LegacyFragments,
  { holds, accountType, dormantSince, listed }: AloneOptions,
): string {
  const { l, from } = askingApis(legacy);
  const { word, bit, known, there, account } = wordsOf(l, accountType);
  const held = holds === null ? null : heldByName(l, holds);
  const widened = widenedIfAlone(l, holds);
  const accounts = `bit_or(1::bigint << ${bit})`;
  return `
    /* planning each key by itself */
    WITH words AS MATERIALIZED (
      SELECT ${word} AS word, count(*) AS keys,
        count(*) FILTER (WHERE ${staysByItself(l)}) AS stay,
        ${held === null ? '0' : `count(*) FILTER (WHERE ${held} AND ${mayMoveByItself(l)})`} AS hold,
        count(*) FILTER (WHERE ${widened}) AS widened,
        count(*) FILTER (WHERE ${dormant(l.lastUsedAt(), dormantSince)} AND ${widened}) AS dormant,
        ${accounts} FILTER (WHERE ${widened}) AS widened_accounts,
        ${accounts} FILTER (WHERE ${l.inStore()}) AS named_accounts,
        array_agg(${settledByItself(l, 'false')}) FILTER (WHERE ${exceptionByItself(l)}) AS reasons,
        array_agg(${l.id()}) FILTER (WHERE ${exceptionByItself(l)}) AS exceptions
      FROM ${from}
      WHERE ${l.isPerApiKey()}
      GROUP BY 1
    ), looked_up AS MATERIALIZED (
      SELECT w.*, ${there} AS there FROM words w ${known}
    ), lacking AS MATERIALIZED (
      SELECT word, named_accounts & ~there AS accounts FROM looked_up WHERE word IS NOT NULL AND named_accounts & ~there <> 0
    ), absent AS (
      SELECT ${account} AS account FROM lacking, generate_series(0, 63) AS bit WHERE accounts & (1::bigint << bit) <> 0
    )
    SELECT coalesce(sum(keys), 0) AS keys, coalesce(sum(stay), 0) AS stay, coalesce(sum(hold), 0) AS hold,
      coalesce(sum(widened), 0) AS widened, coalesce(sum(dormant), 0) AS dormant,
      coalesce(sum(bit_count((widened_accounts & there)::bit(64))), 0) AS widened_accounts,
      (SELECT coalesce(jsonb_object_agg(reason, keys), '{}') FROM (
        SELECT reason, count(*) AS keys FROM words, unnest(reasons) AS reason GROUP BY reason) r) AS reasons,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM (
        SELECT unnest(exceptions) AS key_id FROM words WHERE exceptions IS NOT NULL
        ORDER BY 1 LIMIT ${String(listed)}) first) AS exceptions,
      (SELECT count(*) FROM absent) AS absent,
      (SELECT coalesce(array_agg(account), '{}')::text FROM (SELECT account FROM absent LIMIT ${String(MAX_ABSENT_NAMED)}) first) AS absent_accounts,
      coalesce(bool_or(word IS NULL AND named_accounts IS NOT NULL), false) AS nobodys
    FROM looked_up`;
}

/** Keys and their APIs, each of which is asked whether it is of the store once, and not for each count of each of its keys. */
function askingApis(l: LegacyFragments): { l: LegacyFragments; from: string } {
  if (l.apiNeedsAccount) return { l, from: withApi(l) };
  const asked = `(SELECT ${l.apiId()} AS id, bool_and(${l.inStore()}) AS in_store FROM ${l.apis} a GROUP BY 1) a`;
  return {
    l: { ...l, apiId: () => 'a.id', inStore: () => '(a.in_store IS TRUE)' },
    from: `${l.keys} k LEFT JOIN ${asked} ON a.id = ${l.api()}`,
  };
}

/** Condition under which `countAlone` counts a key as one that is widened. */
export const widenedIfAlone = (l: LegacyFragments, holds: HoldsSource | null): string =>
  `${l.alive()} AND ${mayMoveByItself(l)}${holds === null ? '' : ` AND NOT ${heldByName(l, holds)}`}`;

/** The class that `countAlone` counts a key in, for whoever looks at single keys. */
export const classIfAlone = (l: LegacyFragments, holds: HoldsSource | null): string =>
  `coalesce(${settledByItself(l, 'false')}, CASE WHEN ${holds === null ? 'false' : heldByName(l, holds)} THEN 'hold' WHEN ${l.alive()} THEN 'widened' ELSE 'move' END)`;

/** How accounts are grouped. */
interface Words {
  /** The group of a key's account, NULL for none, and its place in there. */
  word: string;
  bit: string;
  /** Brings what is known of the groups of `words w` into FROM; `there` is the bits of those that exist. */
  known: string;
  there: string;
  /** The account of `word` and `bit`. */
  account: string;
}

/**
 * Accounts are counted as bits of words of 64 neighbours: a sixty-fourth of the groups, few enough for workers to count
 * apart and hand on. Ids that are no integers are words of one.
 */
const wordsOf = (l: LegacyFragments, type: string): Words =>
  /^(bigint|integer|smallint)$/.test(type) ? neighbours(l) : oneByOne(l);

function neighbours(l: LegacyFragments): Words {
  const place = (account: string): string => `((${account})::bigint & 63)::int`;
  return {
    word: `(${l.account()})::bigint >> 6`,
    bit: `coalesce(${place(l.account())}, 0)`,
    known: `LEFT JOIN (
        SELECT (${l.accountId()})::bigint >> 6 AS word, bit_or(1::bigint << ${place(l.accountId())}) AS accounts FROM ${l.accounts} o GROUP BY 1
      ) known ON known.word = w.word`,
    there: 'coalesce(known.accounts, 0)',
    account: '(word << 6) + bit',
  };
}

const oneByOne = (l: LegacyFragments): Words => ({
  word: l.account(),
  bit: '0',
  known: `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = w.word`,
  there: `(CASE WHEN ${l.accountId()} IS NULL THEN 0 ELSE 1 END)::bigint`,
  account: 'word',
});
