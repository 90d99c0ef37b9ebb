import { quoteIdentifier } from '../config/identifiers.js';
import { isSwitched } from '../resolver/cohort.js';
import { fingerprintOf } from '../mapping/fingerprint.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { verdicts } from '../mapping/rules/verdicts.js';
import { archiveOf, type Scene } from './scene.js';

/*
 * Statements about single keys. A token stays inside PostgreSQL: it is named by the id of a key that has it, and
 * shown by its fingerprint alone.
 */

const fingerprint = (token: string, { schema: { types } }: Scene): string => fingerprintOf(token, types);

const ids = ({ schema: { types } }: Scene, at = 1): string => `ANY ($${String(at)}::text[]::${types.id}[])`;
const id = ({ schema: { types } }: Scene): string => `$1::text::${types.id}`;

/** The token of key $1, wherever the key stands; a merged key whose row was purged has its account key's. */
function tokenOf(scene: Scene): string {
  const { legacy: l } = scene.schema;
  const own = `(SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.id()} = ${id(scene)} LIMIT 1)`;
  if (!scene.target) return own;
  return `coalesce(${own}, (SELECT t.token FROM ${l.target} t WHERE t.id = ${id(scene)}),
    (SELECT t.token FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id WHERE x.key_id = ${id(scene)} AND x.outcome = 'merge'))`;
}

/** Ids equal to $1: one or none, over every place a key may stand in. */
export function findById(scene: Scene): string {
  const { legacy: l } = scene.schema;
  return [
    `SELECT ${l.id()}::text AS id FROM ${l.keys} k WHERE ${l.id()} = ${id(scene)} AND ${l.isPerApiKey()}`,
    ...(scene.target ? [`SELECT t.id::text FROM ${l.target} t WHERE t.id = ${id(scene)}`] : []),
    ...(scene.ledger === null ? [] : [`SELECT x.key_id::text FROM keylift.outcomes x WHERE x.key_id = ${id(scene)}`]),
  ].join(' UNION ');
}

/**
 * Ids of the keys with fingerprint $1, the first $2. No index holds a hash, so this reads every key once, and hashes
 * as it reads: seconds for a million keys.
 */
export function findByFingerprint(scene: Scene): string {
  const { legacy: l } = scene.schema;
  const found = [
    `SELECT ${l.id()} AS id FROM ${l.keys} k WHERE ${fingerprint(l.token(), scene)} = $1 AND ${l.isPerApiKey()}`,
    ...(scene.target ? [`SELECT t.id FROM ${l.target} t WHERE ${fingerprint('t.token', scene)} = $1`] : []),
  ];
  return `SELECT id::text AS id FROM (${found.join(' UNION ')}) found ORDER BY found.id LIMIT $2`;
}

/** Ids of key $1 and of all keys that share its token; rows without one, NULL or empty, share nothing. */
export function sharingToken(scene: Scene): string {
  const { legacy: l } = scene.schema;
  return [
    'SELECT $1::text AS id',
    `SELECT ${l.id()}::text FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${l.token()} = ${tokenOf(scene)}`,
    ...(scene.target ? [`SELECT t.id::text FROM ${l.target} t WHERE t.token = ${tokenOf(scene)}`] : []),
  ].join(' UNION ');
}

/** An API's id as its own row spells it, where there is one: to some collations `Ocr` equals `ocr`, to JavaScript never. */
const apiName = ({ apiId }: LegacyFragments, named: string): string => `coalesce(${apiId()}::text, ${named}::text)`;

/** Per-API keys $1, in the order the old rule prefers them. */
export function sourceRows(scene: Scene): string {
  const { legacy: l, settings } = scene.schema;
  const archive = archiveOf(scene);
  const archived =
    archive === null
      ? 'false'
      : `EXISTS (SELECT FROM ${archive} z WHERE z.${quoteIdentifier(settings.legacy.keys.id)} = ${l.id()})`;
  return `
    SELECT ${l.id()}::text AS key_id, CASE WHEN ${archived} THEN 'archive' ELSE 'legacy' END AS stored_in,
      ${l.account()}::text AS account_id, ${l.accountName()}::text AS account, ${apiName(l, l.api())} AS api_id, ${l.slug()}::text AS slug,
      ${l.name()}::text AS name, ${fingerprint(l.token(), scene)} AS fingerprint, ${l.token()} IS NOT NULL AS has_token, ${l.alive()} AS alive,
      ${l.createdAt()}::text AS created_at, ${l.lastUsedAt()}::text AS last_used_at, ${l.revokedAt()}::text AS revoked_at, ${l.expiresAt()}::text AS expires_at
    FROM ${l.from} WHERE ${l.id()} = ${ids(scene)} AND ${l.isPerApiKey()} ORDER BY ${l.createdAt()}, ${l.id()}`;
}

/** What the rules say of per-API keys $1 as they are; with a key it needs every one that shares its token. */
export function verdictsOn(scene: Scene): string {
  const { legacy: l } = scene.schema;
  const judged = verdicts(l, {
    holds: scene.holds,
    rows: `${l.id()} = ${ids(scene)}`,
    ...(scene.target && {
      takenElsewhere: `EXISTS (SELECT FROM ${l.target} b WHERE b.token = ${l.token()} AND b.origin_api_id IS NULL)`,
      outlivesItsApi: `${l.apiId()} IS NULL AND EXISTS (SELECT FROM ${l.target} b WHERE b.id = ${l.id()} AND b.origin_api_id = ${l.api()})`,
    }),
  });
  return `SELECT key_id::text AS key_id, outcome, reason, account_key_id::text AS account_key_id FROM (${judged}) v`;
}

/** Account keys $1, those born in Settings among them. */
export function accountKeys(scene: Scene): string {
  const { legacy: l } = scene.schema;
  return `
    SELECT t.id::text AS key_id, t.account_id::text AS account_id, ${l.accountName()}::text AS account, t.name::text AS name,
      ${fingerprint('t.token', scene)} AS fingerprint, t.scope, ${apiName(l, 't.origin_api_id')} AS api_id, ${l.slug()}::text AS slug,
      ${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive, t.created_at::text AS created_at,
      t.last_used_at::text AS last_used_at, t.revoked_at::text AS revoked_at, t.expires_at::text AS expires_at
    FROM ${l.target} t LEFT JOIN ${l.apis} a ON ${l.apiId()} = t.origin_api_id LEFT JOIN ${l.accounts} o ON ${l.accountId()} = t.account_id
    WHERE t.id = ${ids(scene)}`;
}

/** What the ledger says of keys $1, and of keys merged into one of them. */
export const recorded = (scene: Scene): string => `
    SELECT key_id::text AS key_id, outcome, reason, account_key_id::text AS account_key_id
    FROM keylift.outcomes WHERE key_id = ${ids(scene)} OR (outcome = 'merge' AND account_key_id = ${ids(scene)})`;

/** Every API, and who `authorize`, where it may be asked, lets in there with the token of key $1. */
export function apis(scene: Scene): string {
  const { legacy: l } = scene.schema;
  return `
    SELECT ${l.apiId()}::text AS api_id, ${l.slug()}::text AS slug, ${l.inStore()} AS in_store, ${scene.authorize ? 'f.key_id::text' : 'NULL'} AS answers
    FROM ${l.apis} a ${scene.authorize ? `LEFT JOIN LATERAL keylift.authorize(${tokenOf(scene)}, ${l.apiId()}) f ON true` : ''}
    ORDER BY ${l.slug()}::text COLLATE "C"`;
}

/** The range that covers key $1: of several attempts, the last. */
export const coveringBatch = (scene: Scene): string => `
    SELECT batch_no::text AS batch_no, attempt, after_id::text AS after_id, upto_id::text AS upto_id, state, finished_at::text AS finished_at
    FROM keylift.batches WHERE (after_id IS NULL OR after_id < ${id(scene)}) AND upto_id >= ${id(scene)}
    ORDER BY attempt DESC, batch_no DESC LIMIT 1`;

/** Is account $1 answered from Settings? */
export const switchedAccount = ({ schema: { types } }: Scene): string =>
  `SELECT ${isSwitched(`$1::text::${types.account}`, '(SELECT r.cohorts FROM keylift.switch_rule r)')} AS switched`;
