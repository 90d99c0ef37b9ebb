import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { PROOF_DUPLICATES } from '../ledger/proof-duplicates.js';
import { rowsInRange, type Chunk } from '../mapping/chunks.js';
import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import { apisByAccount } from '../mapping/store.js';
import type { Counters } from './document.js';
import { comparedFields, sourceFacts, targetFacts, USED_LATER } from './facts.js';
import type { Finality } from './finality.js';
import { mayMove } from './rules.js';

/** What a chunk's plain rows add up to, and the ids of all other rows, as text, for `proveChunk`. */
export interface PlainRows {
  counters: Partial<Counters>;
  others: string[];
}

export interface PlainOptions {
  idType: string;
  /** Does any hold exist? */
  holds: boolean;
  finality: Finality;
  /** A foreign key guarantees that an account key's account exists. */
  accountsGuaranteed: boolean;
}

/**
 * Counts the rows of a chunk that need no comparison with other rows: a key of the store with an account key that is
 * equal to it field by field, and a key of a custom API without one. No other row has the token, no hold names the row,
 * and the ledger has no outcome for it. So it opens its own API before and every store API after, or nothing, and a
 * living one gains all store APIs but one. test/proof/plain.test.ts compares this count with `proveChunk`.
 */
export function countPlainRows(
  l: LegacyFragments,
  { idType, finality, holds, accountsGuaranteed }: PlainOptions,
): string {
  const from = accountsGuaranteed ? withApi(l) : l.from;
  const source = accountsGuaranteed && !l.apiNeedsAccount ? { ...l, accountId: () => l.account() } : l;
  return sql`
    /* proving plain rows */
    SELECT count(*) AS rows,
      count(*) FILTER (WHERE kind = 'move') AS moved,
      count(*) FILTER (WHERE kind = 'move' AND alive) AS widened,
      ${l.apiNeedsAccount ? `coalesce(sum(apis) FILTER (WHERE kind = 'move' AND alive), 0) AS opens,` : ''}
      count(*) FILTER (WHERE kind = 'move' AND behind) AS behind,
      count(*) FILTER (WHERE kind = 'move' AND ahead) AS ahead,
      coalesce(array_agg(id::text) FILTER (WHERE kind = 'other'), '{}') AS others
    FROM (
      SELECT coalesce(s.id, t.id) AS id, s.alive,
        ${l.apiNeedsAccount ? 'store.apis,' : ''}
        ${USED_LATER.perApiKey} AS behind,
        ${USED_LATER.accountKey} AS ahead,
        ${kindOfRow(l, { holds })} AS kind
      FROM (
        ${factsWithLedger(source, { from, finality, idType })}
      ) s
      FULL JOIN (
        SELECT
          ${targetFacts(l)}
        FROM ${l.target} t
        WHERE ${rowsInRange('t.id', idType)}
          AND t.origin_api_id IS NOT NULL
      ) t ON t.id = s.id
      ${l.apiNeedsAccount ? storeOfAccount(l) : ''}
      OFFSET 0 -- keeps PostgreSQL from finding out a row's kind once for each count
    ) side_by_side`;
}

/** How many APIs each account opens, where that differs. */
const storeOfAccount = (l: LegacyFragments): string => sql`
  LEFT JOIN (
    ${apisByAccount(l)}
  ) store ON store.account_id = t.account_id`;

const kindOfRow = (l: LegacyFragments, { holds }: { holds: boolean }): string => sql`
  CASE
    WHEN s.id IS NULL OR s.has_outcome OR s.is_duplicate OR ${holds ? 's.held' : 'false'} OR s.left_behind
      OR NOT s.api_known THEN 'other'
    WHEN t.id IS NULL THEN CASE WHEN s.out_of_store THEN 'stay' ELSE 'other' END
    WHEN ${mayMove('s')}
      ${comparedFields(l)
        .map(({ differs }) => `AND NOT (${differs})`)
        .join('\n')} THEN 'move'
    ELSE 'other'
  END`;

const factsWithLedger = (
  l: LegacyFragments,
  { from, finality, idType }: { from: string; finality: Finality; idType: string },
): string => sql`
  SELECT facts.*, x.key_id IS NOT NULL AS has_outcome, d.key_id IS NOT NULL AS is_duplicate
  FROM (
    SELECT
      ${sourceFacts(l, finality)}
    FROM
      ${from}
    WHERE ${rowsInRange(l.id(), idType)}
      AND ${l.isPerApiKey()}
  ) facts
    LEFT JOIN (
      SELECT x.key_id
      FROM keylift.outcomes x
      WHERE ${rowsInRange('x.key_id', idType)}
    ) x ON x.key_id = facts.id
    LEFT JOIN (
      SELECT d.key_id
      FROM ${PROOF_DUPLICATES} d
      WHERE ${rowsInRange('d.key_id', idType)}
    ) d ON d.key_id = facts.id`;

/** What `countPlainRows` answers; counts are decimal text. */
export interface Counted {
  /** All rows of the range, plain or not. */
  rows: string;
  moved: string;
  /** Living keys that move: they open the store. */
  widened: string;
  /** Pairs of such a key and an API of its account, where accounts have store APIs of their own. */
  opens?: string;
  behind: string;
  ahead: string;
  others: string[];
}

/** Counts the plain rows of one range. */
export async function plainRowsOf(
  session: ReadSession,
  l: LegacyFragments,
  { range, storeApis, ...options }: PlainOptions & { range: Chunk; storeApis: number },
): Promise<PlainRows> {
  await session.query(`SET LOCAL work_mem = '64MB'`);
  // Both tables return their rows in the order of their ids; to hash a quarter of a million wide rows takes a third longer.
  if (options.accountsGuaranteed && !l.apiNeedsAccount) await session.query('SET LOCAL enable_hashjoin = off');
  const counted = await session.one<Counted>(countPlainRows(l, options), range);
  await session.query('SET LOCAL enable_hashjoin TO DEFAULT');
  return { counters: countersOf(counted, storeApis), others: counted.others };
}

/**
 * What the plain rows add to the counters of a chunk. `storeApis` is the number of store APIs where that is one for
 * all.
 */
export function countersOf(counted: Counted, storeApis: number): Partial<Counters> {
  const widened = Number(counted.widened);
  const gained = Number(counted.opens ?? widened * storeApis) - widened;
  return {
    rows: Number(counted.rows) - counted.others.length,
    compared: Number(counted.moved),
    gained_store: gained,
    predicted_gained_store: gained,
    behind: Number(counted.behind),
    ahead: Number(counted.ahead),
  };
}

/** Does a validated foreign key tie every account key to its account? Then the accounts need not be read. */
export async function accountsAreGuaranteed(session: ReadSession, l: LegacyFragments): Promise<boolean> {
  const { found } = await session.one<{ found: boolean }>(
    sql`
      SELECT EXISTS (
        SELECT FROM pg_catalog.pg_constraint c
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ALL (c.conkey)
        WHERE c.conrelid = $1::regclass AND c.confrelid = $2::regclass AND c.contype = 'f' AND c.convalidated
          AND a.attname = 'account_id'
      ) AS found`,
    [l.target, l.accounts],
  );
  return found;
}
