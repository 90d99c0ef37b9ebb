import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { heldByName, settledByItself, verdicts, type HoldsSource } from '../../mapping/rules/verdicts.js';

/** A sample has at most so many keys of one account, and so many rows with one token. */
const KEYS_OF_ACCOUNT = 100;
const ROWS_OF_TOKEN = 100;

/** The tables and the holds of a sample. */
export interface Source {
  schema: MappedSchema;
  holds: HoldsSource;
  /** Parameters of `holds`: ids of keys and accounts on hold. */
  values: unknown[];
}

/** Orders by a hash, so that a database always has the same sample, and not always its first customers. */
const shuffled = (value: string): string => `md5(${value}::text)`;

/** The kind of a key, so that a sample has every kind: its outcome, its life and its kind of name. */
const kindOfKey = (outcome: string, { schema: { legacy: l } }: Source): string => sql`
  ${outcome}
    || CASE WHEN ${l.alive()} THEN ' alive' ELSE ' dead' END
    || CASE WHEN ${l.name()} IS NULL THEN ' unnamed' WHEN ${l.name()}::text = '' THEN ' empty'
       WHEN octet_length(convert_to(${l.name()}::text, 'UTF8')) > char_length(${l.name()}::text) THEN ' unicode'
       ELSE '' END`;

/**
 * Accounts for a sample of $3: first one account for each kind of key, and one account without keys, then others. Ids
 * of accounts that do not exist count as accounts, too.
 */
function chooseAccounts(source: Source): string {
  const {
    schema: { legacy: l },
    holds,
  } = source;
  // Not an array of these tokens, because a hash index compares each row that it finds with all of them.
  const rows = `${l.token()} IN (SELECT token FROM repeated)`;
  const outcome = sql`
    coalesce(v.reason, v.outcome, ${settledByItself(l)},
      CASE WHEN ${heldByName(l, holds)} THEN 'hold' ELSE 'move' END)`;
  return sql`
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token()} AS token
      FROM ${l.keys} k
      WHERE ${l.isPerApiKey()}
      GROUP BY ${l.token()} HAVING count(*) > 1 AND ${l.hasToken()}
    ), duplicates AS MATERIALIZED (
      SELECT key_id, outcome, reason
      FROM (
        ${verdicts(l, { holds, rows })}) v
    ), kinds AS MATERIALIZED (
      SELECT DISTINCT ${l.account()}::text AS account,
        ${kindOfKey(outcome, source)} AS kind
      FROM ${l.from} LEFT JOIN duplicates v ON v.key_id = ${l.id()}
      WHERE ${l.isPerApiKey()}
    ), by_account AS (
      SELECT account, bool_or(position = 1) AS covers
      FROM (
        SELECT account, row_number() OVER (
          PARTITION BY kind ORDER BY ${shuffled("coalesce(account, '')")}) AS position
        FROM kinds) ranked
      GROUP BY account
    ), without_keys AS (
      -- EXCEPT and not an anti join: with LIMIT 1 the planner would search the kinds again for each account.
      SELECT account
      FROM (
        SELECT ${l.accountId()}::text AS account FROM ${l.accounts} o
        EXCEPT SELECT account FROM kinds) remaining
      ORDER BY ${shuffled('account')} LIMIT 1
    )
    SELECT account
    FROM (
      SELECT account, covers FROM by_account
      UNION ALL SELECT account, true FROM without_keys) chosen
    ORDER BY covers DESC, ${shuffled("coalesce(account, '')")} LIMIT $3`;
}

/**
 * Ids of the keys of accounts $3 and, where $4, of keys without an account: at most a hundred of each account, with
 * every kind. Adds all rows that share one of their tokens; of a token with many rows, those of every account and life.
 */
function chooseKeys(source: Source): string {
  const {
    schema: { legacy: l, types },
    holds,
  } = source;
  const kind = kindOfKey(
    `coalesce(${settledByItself(l)}, CASE WHEN ${heldByName(l, holds)} THEN 'hold' ELSE 'move' END)`,
    source,
  );
  const ofAccounts = `${l.account()} = ANY ($3::text[]::${types.account}[]) OR ($4 AND ${l.account()} IS NULL)`;
  const hasChosenToken = types.tokensSorted
    ? `${l.token()} = ANY (ARRAY(SELECT token FROM tokens))`
    : `${l.token()} IN (SELECT token FROM tokens)`;
  const alike = `${l.token()}, ${l.account()}, ${settledByItself(l)}, ${l.alive()}, ${l.expiresAt()}`;
  return sql`
    WITH own AS MATERIALIZED (
      SELECT key_id, token, row_number() OVER (PARTITION BY account ORDER BY of_kind, mixed) AS position
      FROM (
        SELECT *, row_number() OVER (PARTITION BY account, kind ORDER BY mixed) AS of_kind
        FROM (
          SELECT ${l.id()} AS key_id, ${l.token()} AS token, ${l.account()} AS account, ${shuffled(l.id())} AS mixed,
            ${kind} AS kind
          FROM ${l.from}
          WHERE ${l.isPerApiKey()} AND (${ofAccounts})
        ) found
      ) ranked
    ), tokens AS MATERIALIZED (
      SELECT DISTINCT token FROM own WHERE position <= ${KEYS_OF_ACCOUNT} AND token IS NOT NULL
    ), duplicates AS (
      SELECT key_id, row_number() OVER (PARTITION BY token ORDER BY alike, created_at, key_id) AS position
      FROM (
        SELECT ${l.id()} AS key_id, ${l.token()} AS token, ${l.createdAt()} AS created_at,
          row_number() OVER (
            PARTITION BY ${alike}
            ORDER BY ${l.createdAt()}, ${l.id()}) AS alike
        FROM ${l.from}
        WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${hasChosenToken}
      ) found
    )
    SELECT key_id::text AS id FROM own WHERE position <= ${KEYS_OF_ACCOUNT}
    UNION
    SELECT key_id::text FROM duplicates WHERE position <= ${ROWS_OF_TOKEN}`;
}

/** The ids of at most `count` accounts for a sample; null stands for keys without an account. */
export async function accountsFor(session: ReadSession, source: Source, count: number): Promise<(string | null)[]> {
  const { rows } = await session.query<{ account: string | null }>(chooseAccounts(source), [...source.values, count]);
  return rows.map(({ account }) => account);
}

/** The ids of the keys of a sample. */
export async function keysFor(
  session: ReadSession,
  source: Source,
  ids: readonly (string | null)[],
): Promise<string[]> {
  const named = ids.filter((id) => id !== null);
  const { rows } = await session.query<{ id: string }>(chooseKeys(source), [
    ...source.values,
    named,
    ids.includes(null),
  ]);
  return rows.map(({ id }) => id);
}
