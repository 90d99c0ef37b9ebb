import type { ReadSession } from '../database/session.js';
import { rowsInRange, type Chunk } from '../mapping/chunks.js';
import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import type { Counters } from './document.js';
import type { Finality } from './finality.js';
import { comparedFields, sourceFacts, targetFacts } from './statements.js';

/** What a chunk's plain rows add up to, and the ids of all others, as text: those are for the whole judgement. */
export interface PlainRows {
  counters: Partial<Counters>;
  others: string[];
}

export interface PlainOptions {
  idType: string;
  /** Does anybody hold anything? */
  holds: boolean;
  finality: Finality;
  /** The database itself vouches that an account key's account is there. */
  accountsGuaranteed: boolean;
}

/**
 * Counts the rows of a chunk about which nothing needs to be argued: a key of the store beside an account key that is
 * equal to it field by field, and a key of a custom API with none. Its token is its own, nobody holds it and the
 * ledger has no word for it, so that it opens its one API before and the store after, or nothing. Whatever is not
 * plain in this sense is handed on by its id.
 */
export function countPlainRows(
  l: LegacyFragments,
  { idType, finality, holds, accountsGuaranteed }: PlainOptions,
): string {
  const equal = comparedFields(l)
    .map((f) => `NOT (${f.differs})`)
    .join(' AND ');
  const from = accountsGuaranteed ? withApi(l) : l.from;
  const source = accountsGuaranteed && !l.apiNeedsAccount ? { ...l, accountId: () => l.account() } : l;
  return `
  /* proving plain rows */
  SELECT count(*) AS rows, count(*) FILTER (WHERE kind = 'move') AS moved, count(*) FILTER (WHERE alive AND kind = 'move') AS widened,
    count(*) FILTER (WHERE behind AND kind = 'move') AS behind, count(*) FILTER (WHERE ahead AND kind = 'move') AS ahead,
    coalesce(array_agg(id::text) FILTER (WHERE kind = 'other'), '{}') AS others
  FROM (
    SELECT coalesce(s.id, t.id) AS id, s.alive,
      s.last_used_at IS NOT NULL AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at) AND t.id IS NOT NULL AS behind,
      t.last_used_at IS NOT NULL AND (s.last_used_at IS NULL OR t.last_used_at > s.last_used_at) AND s.id IS NOT NULL AS ahead,
      CASE WHEN s.id IS NULL OR s.has_word OR s.is_twin OR ${holds ? 's.held' : 'false'} OR s.left_behind OR NOT s.api_known THEN 'other'
           WHEN t.id IS NULL THEN CASE WHEN s.in_store THEN 'other' ELSE 'stay' END
           WHEN s.in_store AND s.account_known AND s.has_token AND s.created_at IS NOT NULL AND ${equal} THEN 'move'
           ELSE 'other' END AS kind
    FROM (SELECT facts.*, x.key_id IS NOT NULL AS has_word, w.key_id IS NOT NULL AS is_twin
        FROM (SELECT ${sourceFacts(source, finality)} FROM ${from} WHERE ${rowsInRange(l.id(), idType)} AND ${l.isPerApiKey()}) facts
          LEFT JOIN (SELECT x.key_id FROM keylift.outcomes x WHERE ${rowsInRange('x.key_id', idType)}) x ON x.key_id = facts.id
          LEFT JOIN (SELECT w.key_id FROM keylift.proof_twins w WHERE ${rowsInRange('w.key_id', idType)}) w ON w.key_id = facts.id) s
      FULL JOIN (SELECT ${targetFacts(l)} FROM ${l.target} t
        WHERE ${rowsInRange('t.id', idType)} AND t.origin_api_id IS NOT NULL) t ON t.id = s.id
    OFFSET 0 -- a fence: finding out a row's kind is what costs, so it is done once and not for every count
  ) side_by_side`;
}

interface Counted {
  /** All of the range, plain or not. */
  rows: string;
  moved: string;
  /** Alive: the rule opens the store with them. */
  widened: string;
  behind: string;
  ahead: string;
  others: string[];
}

/** Runs the count over one range; `storeApis` is how many APIs the store has. */
export async function plainRowsOf(
  session: ReadSession,
  l: LegacyFragments,
  { range, storeApis, ...options }: PlainOptions & { range: Chunk; storeApis: number },
): Promise<PlainRows> {
  await session.query(`SET LOCAL work_mem = '64MB'`);
  // Both tables hand their rows on in the order of their ids; hashing a quarter of a million wide rows costs a third more.
  if (options.accountsGuaranteed && !l.apiNeedsAccount) await session.query('SET LOCAL enable_hashjoin = off');
  const counted = await session.one<Counted>(countPlainRows(l, options), range);
  await session.query('SET LOCAL enable_hashjoin TO DEFAULT');
  const gained = Number(counted.widened) * (storeApis - 1);
  return {
    counters: {
      rows: Number(counted.rows) - counted.others.length,
      compared: Number(counted.moved),
      gained_store: gained,
      predicted_gained_store: gained,
      behind: Number(counted.behind),
      ahead: Number(counted.ahead),
    },
    others: counted.others,
  };
}

/** Does a validated foreign key tie every account key to its account? Then no scan of the accounts can say more. */
export async function accountsAreGuaranteed(session: ReadSession, l: LegacyFragments): Promise<boolean> {
  const { found } = await session.one<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint c
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ALL (c.conkey)
     WHERE c.conrelid = $1::regclass AND c.confrelid = $2::regclass AND c.contype = 'f' AND c.convalidated AND a.attname = 'account_id') AS found`,
    [l.target, l.accounts],
  );
  return found;
}
