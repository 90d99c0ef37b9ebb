import type { ReadSession } from '../../database/session.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { heldByName, settledByItself, verdicts, type HoldsSource } from '../../mapping/rules/verdicts.js';

/** Keys taken of one account, and rows of one token: a sample, not a copy. */
const KEYS_OF_ACCOUNT = 100;
const ROWS_OF_TOKEN = 100;

/** What a sample is taken from, and by which holds. */
export interface Source {
  schema: MappedSchema;
  holds: HoldsSource;
  /** Parameters of `holds`: held key ids and account ids. */
  values: unknown[];
}

/** Every order is by a hash, so that the same sample is taken of the same database, and not always the first customers. */
const shuffled = (value: string): string => `md5(${value}::text)`;

/** What makes a key worth having in a sample, beside its outcome: rules and reports look at each of these. */
const kindOfKey = (outcome: string, { schema: { legacy: l } }: Source): string => `
  ${outcome} || CASE WHEN ${l.alive()} THEN ' alive' ELSE ' dead' END
    || CASE WHEN ${l.name()} IS NULL THEN ' unnamed' WHEN ${l.name()}::text = '' THEN ' empty'
       WHEN octet_length(convert_to(${l.name()}::text, 'UTF8')) > char_length(${l.name()}::text) THEN ' unicode' ELSE '' END`;

/**
 * Accounts for a sample of $3: first those that show an outcome, a reason, a life or a kind of name that no other one
 * shows yet, one without any key among them, then others. Accounts that keys name and nobody has are accounts here.
 */
export function chooseAccounts(source: Source): string {
  const {
    schema: { legacy: l },
    holds,
  } = source;
  // No array of these tokens: a hash index compares each row that it finds with all of them.
  const rows = `${l.token()} IN (SELECT token FROM repeated)`;
  const outcome = `coalesce(v.reason, v.outcome, ${settledByItself(l)}, CASE WHEN ${heldByName(l, holds)} THEN 'hold' ELSE 'move' END)`;
  return `
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1 AND ${l.hasToken()}
    ), together AS MATERIALIZED (
      SELECT key_id, outcome, reason FROM (${verdicts(l, { holds, rows })}) v
    ), kinds AS MATERIALIZED (
      SELECT DISTINCT ${l.account()}::text AS account, ${kindOfKey(outcome, source)} AS kind
      FROM ${l.from} LEFT JOIN together v ON v.key_id = ${l.id()} WHERE ${l.isPerApiKey()}
    ), by_account AS (
      SELECT account, bool_or(place = 1) AS covers FROM (
        SELECT account, row_number() OVER (PARTITION BY kind ORDER BY ${shuffled("coalesce(account, '')")}) AS place FROM kinds
      ) ranked GROUP BY account
    ), without_keys AS (
      -- EXCEPT and not an anti join: with LIMIT 1 the planner would search the kinds anew for each account.
      SELECT account FROM (SELECT ${l.accountId()}::text AS account FROM ${l.accounts} o EXCEPT SELECT account FROM kinds) left_over
      ORDER BY ${shuffled('account')} LIMIT 1
    )
    SELECT account FROM (SELECT account, covers FROM by_account UNION ALL SELECT account, true FROM without_keys) chosen
    ORDER BY covers DESC, ${shuffled("coalesce(account, '')")} LIMIT $3`;
}

/**
 * Ids of the keys of accounts $3 (and, where $4, of none), a hundred of each at most, every kind among them; with all
 * rows that share one of their tokens, whoever's they are: of a token with very many, those of every account and life.
 */
export function chooseKeys(source: Source): string {
  const {
    schema: { legacy: l, types },
    holds,
  } = source;
  const kind = kindOfKey(
    `coalesce(${settledByItself(l)}, CASE WHEN ${heldByName(l, holds)} THEN 'hold' ELSE 'move' END)`,
    source,
  );
  return `
    WITH own AS MATERIALIZED (
      SELECT key_id, token, row_number() OVER (PARTITION BY account ORDER BY of_kind, mixed) AS place
      FROM (
        SELECT *, row_number() OVER (PARTITION BY account, kind ORDER BY mixed) AS of_kind
        FROM (
          SELECT ${l.id()} AS key_id, ${l.token()} AS token, ${l.account()} AS account, ${shuffled(l.id())} AS mixed, ${kind} AS kind
          FROM ${l.from} WHERE ${l.isPerApiKey()} AND (${l.account()} = ANY ($3::text[]::${types.account}[]) OR ($4 AND ${l.account()} IS NULL))
        ) found
      ) ranked
    ), tokens AS MATERIALIZED (
      SELECT DISTINCT token FROM own WHERE place <= ${String(KEYS_OF_ACCOUNT)} AND token IS NOT NULL
    ), twins AS (
      SELECT key_id, row_number() OVER (PARTITION BY token ORDER BY alike, created_at, key_id) AS place
      FROM (
        SELECT ${l.id()} AS key_id, ${l.token()} AS token, ${l.createdAt()} AS created_at, row_number() OVER (
          PARTITION BY ${l.token()}, ${l.account()}, ${settledByItself(l)}, ${l.alive()}, ${l.expiresAt()} ORDER BY ${l.createdAt()}, ${l.id()}) AS alike
        FROM ${l.from} WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${types.tokenIndexed ? `${l.token()} = ANY (ARRAY(SELECT token FROM tokens))` : `${l.token()} IN (SELECT token FROM tokens)`}
      ) found
    )
    SELECT key_id::text AS id FROM own WHERE place <= ${String(KEYS_OF_ACCOUNT)}
    UNION SELECT key_id::text FROM twins WHERE place <= ${String(ROWS_OF_TOKEN)}`;
}

/** The accounts of a sample by id, `count` of them or as many as there are; null stands for the keys that have none. */
export async function accountsFor(session: ReadSession, source: Source, count: number): Promise<(string | null)[]> {
  const { rows } = await session.query<{ account: string | null }>(chooseAccounts(source), [...source.values, count]);
  return rows.map(({ account }) => account);
}

/** The keys of a sample, by id. */
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
