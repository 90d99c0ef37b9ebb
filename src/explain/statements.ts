import { quoteIdentifier } from '../config/identifiers.js';
import { sql } from '../database/sql.js';
import { isoDate } from '../ledger/moment.js';
import { isSwitched } from '../resolver/cohort.js';
import { fingerprintOf } from '../mapping/fingerprint.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { verdicts } from '../mapping/rules/verdicts.js';
import { archiveOf, type Sources } from './sources.js';

/*
 * Statements about single keys. A token never leaves PostgreSQL: statements name it by the id of a key that has it, and
 * return its fingerprint only.
 */

const fingerprint = (token: string, { schema: { types } }: Sources): string => fingerprintOf(token, types);

/** The ids in $1. */
const ids = ({ schema: { types } }: Sources): string => `ANY ($1::text[]::${types.id}[])`;
/** The id in $1. */
const id = ({ schema: { types } }: Sources): string => `$1::text::${types.id}`;

/** The token of key $1, from any table. A merged key whose row was purged has the token of its account key. */
function tokenOf(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const own = `(SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.id()} = ${id(sources)} LIMIT 1)`;
  if (!sources.target) return own;
  return sql`
    coalesce(
      ${own},
      (SELECT t.token FROM ${l.target} t WHERE t.id = ${id(sources)}),
      (SELECT t.token FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
       WHERE x.key_id = ${id(sources)} AND x.outcome = 'merge'))`;
}

const union = (parts: readonly string[]): string => parts.join('\nUNION\n');

/** Ids equal to $1 in any table: one or none. */
export function findById(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const outcomes = `SELECT x.key_id::text FROM keylift.outcomes x WHERE x.key_id = ${id(sources)}`;
  return union([
    `SELECT ${l.id()}::text AS id FROM ${l.keys} k WHERE ${l.id()} = ${id(sources)} AND ${l.isPerApiKey()}`,
    ...(sources.target ? [`SELECT t.id::text FROM ${l.target} t WHERE t.id = ${id(sources)}`] : []),
    ...(sources.ledger === null ? [] : [outcomes]),
  ]);
}

/** Ids of the keys with fingerprint $1, the first $2. Reads and hashes every key: seconds for a million keys. */
export function findByFingerprint(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const found = union([
    `SELECT ${l.id()} AS id FROM ${l.keys} k WHERE ${fingerprint(l.token(), sources)} = $1 AND ${l.isPerApiKey()}`,
    ...(sources.target ? [`SELECT t.id FROM ${l.target} t WHERE ${fingerprint('t.token', sources)} = $1`] : []),
  ]);
  return sql`
    SELECT id::text AS id
    FROM (
      ${found}) found
    ORDER BY found.id LIMIT $2`;
}

/** Ids of key $1 and of all keys that share its token. A key without a token shares nothing. */
export function sharingToken(sources: Sources): string {
  const { legacy: l } = sources.schema;
  return union([
    'SELECT $1::text AS id',
    sql`
      SELECT ${l.id()}::text
      FROM ${l.keys} k
      WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${l.token()} = ${tokenOf(sources)}`,
    ...(sources.target ? [`SELECT t.id::text FROM ${l.target} t WHERE t.token = ${tokenOf(sources)}`] : []),
  ]);
}

/** The API's id as its own row has it: a collation may equate `Ocr` and `ocr`, JavaScript does not. */
const apiIdOf = ({ apiId }: LegacyFragments, reference: string): string =>
  `coalesce(${apiId()}::text, ${reference}::text)`;

/** Per-API keys $1, in the order in which the old rule prefers them. */
export function sourceRows(sources: Sources): string {
  const { legacy: l, settings } = sources.schema;
  const archive = archiveOf(sources);
  const archived =
    archive === null
      ? 'false'
      : `EXISTS (SELECT FROM ${archive} z WHERE z.${quoteIdentifier(settings.legacy.keys.id)} = ${l.id()})`;
  return sql`
    SELECT ${l.id()}::text AS key_id, CASE WHEN ${archived} THEN 'archive' ELSE 'legacy' END AS stored_in,
      ${l.account()}::text AS account_id, ${l.accountName()}::text AS account,
      ${apiIdOf(l, l.api())} AS api_id, ${l.slug()}::text AS slug, ${l.name()}::text AS name,
      ${fingerprint(l.token(), sources)} AS fingerprint, ${l.token()} IS NOT NULL AS has_token,
      ${l.alive()} AS alive,
      ${isoDate(l.createdAt())} AS created_at, ${isoDate(l.lastUsedAt())} AS last_used_at,
      ${isoDate(l.revokedAt())} AS revoked_at, ${isoDate(l.expiresAt())} AS expires_at
    FROM ${l.from}
    WHERE ${l.id()} = ${ids(sources)} AND ${l.isPerApiKey()}
    ORDER BY ${l.createdAt()}, ${l.id()}`;
}

/** The outcomes of per-API keys $1 by the rules. $1 must contain every key that shares a token with one of them. */
export function verdictsFor(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const query = verdicts(l, {
    holds: sources.holds,
    rows: `${l.id()} = ${ids(sources)}`,
    ...(sources.target && {
      takenElsewhere: `EXISTS (SELECT FROM ${l.target} b WHERE b.token = ${l.token()} AND b.origin_api_id IS NULL)`,
      outlivesItsApi: sql`
        ${l.apiId()} IS NULL
          AND EXISTS (SELECT FROM ${l.target} b WHERE b.id = ${l.id()} AND b.origin_api_id = ${l.api()})`,
    }),
  });
  return sql`
    SELECT key_id::text AS key_id, outcome, reason, account_key_id::text AS account_key_id
    FROM (
      ${query}) v`;
}

/** Account keys $1, native keys included. */
export function accountKeys(sources: Sources): string {
  const { legacy: l } = sources.schema;
  return sql`
    SELECT t.id::text AS key_id, t.account_id::text AS account_id, ${l.accountName()}::text AS account,
      t.name::text AS name, ${fingerprint('t.token', sources)} AS fingerprint, t.scope,
      ${apiIdOf(l, 't.origin_api_id')} AS api_id, ${l.slug()}::text AS slug,
      ${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive,
      ${isoDate('t.created_at')} AS created_at, ${isoDate('t.last_used_at')} AS last_used_at,
      ${isoDate('t.revoked_at')} AS revoked_at, ${isoDate('t.expires_at')} AS expires_at
    FROM ${l.target} t
      LEFT JOIN ${l.apis} a ON ${l.apiId()} = t.origin_api_id
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = t.account_id
    WHERE t.id = ${ids(sources)}`;
}

/** Outcomes in the ledger of keys $1, and of keys merged into one of them. */
export const recorded = (sources: Sources): string => sql`
  SELECT key_id::text AS key_id, outcome, reason, account_key_id::text AS account_key_id
  FROM keylift.outcomes
  WHERE key_id = ${ids(sources)} OR (outcome = 'merge' AND account_key_id = ${ids(sources)})`;

/** The account of key $1: of its row, or of the account key that answers for it. */
function accountOf(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const own = `(SELECT ${l.account()} FROM ${l.keys} k WHERE ${l.id()} = ${id(sources)} LIMIT 1)`;
  if (!sources.target) return own;
  return sql`
    coalesce(
      (SELECT t.account_id FROM ${l.target} t WHERE t.id = ${id(sources)}),
      ${own},
      (SELECT t.account_id FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
       WHERE x.key_id = ${id(sources)}))`;
}

/** The APIs of the account, and those of the keys with its token: a platform can have as many APIs as customers. */
const onlyOwn = (sources: Sources): string => {
  const { legacy: l } = sources.schema;
  return sql`
    WHERE ${l.opens()}
      OR ${l.apiId()} IN (SELECT ${l.api()} FROM ${l.keys} k WHERE ${l.token()} = ${tokenOf(sources)})`;
};

/** Every API, and the key that `authorize`, where it may be called, answers with for the token of key $1. */
export function apis(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const answer = `LEFT JOIN LATERAL keylift.authorize(${tokenOf(sources)}, ${l.apiId()}) f ON true`;
  return sql`
    SELECT ${l.apiId()}::text AS api_id, ${l.slug()}::text AS slug, ${l.inStore()} AS in_store,
      ${sources.authorize ? 'f.key_id::text' : 'NULL'} AS answering_key
    FROM ${l.apis} a
      ${l.apiNeedsAccount ? `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${accountOf(sources)}` : ''}
      ${sources.authorize ? answer : ''}
    ${l.apiNeedsAccount ? onlyOwn(sources) : ''}
    ORDER BY ${l.slug()}::text COLLATE "C"`;
}

/** The batch whose range contains key $1; of several attempts, the latest. */
export const coveringBatch = (sources: Sources): string => sql`
  SELECT batch_no::text AS batch_no, attempt, after_id::text AS after_id, upto_id::text AS upto_id, state,
    ${isoDate('finished_at')} AS finished_at
  FROM keylift.batches
  WHERE (after_id IS NULL OR after_id < ${id(sources)}) AND upto_id >= ${id(sources)}
  ORDER BY attempt DESC, batch_no DESC LIMIT 1`;

/** True if account $1 is answered from Settings. */
export const switchedAccount = ({ schema: { types } }: Sources): string =>
  `SELECT ${isSwitched(`$1::text::${types.account}`, '(SELECT r.cohorts FROM keylift.switch_rule r)')} AS switched`;
