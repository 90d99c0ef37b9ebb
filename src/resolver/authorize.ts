import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { joinStore } from '../mapping/store.js';
import { isSwitched } from './cohort.js';
import { aliveTarget, hasAccountKey, rowsBehind } from './conditions.js';

/** Before the indexes of harden exist: per-API keys, and native keys by their own small index. */
export function authorizeByPerApiKeys(schema: MappedSchema): InstalledFunction {
  const { legacy: l } = schema;
  return authorize(schema, {
    comment: sql`
      Answers from the per-API keys alone: the earliest alive key with this token for this API. A native key opens every
      store API. No row for an unknown API.`,
    body: sql`
      SELECT ${l.apiNeedsAccount ? 'true' : l.inStore()}
      INTO in_store
      FROM ${l.apis} a
      WHERE ${l.apiId()} = own.api;
      IF NOT FOUND THEN RETURN; END IF;
      ${perApiLookup(schema)}
      IF FOUND THEN RETURN NEXT; RETURN; END IF;
      IF in_store THEN
        ${accountLookup(schema, 'AND t.origin_api_id IS NULL')}
        IF FOUND THEN RETURN NEXT; END IF;
      END IF;`,
  });
}

/**
 * With switching. A custom API, a held key and an exception are always answered by the per-API key; a store API by the
 * account key once its account is switched. The order of the lookups follows how far the switch is, so that the common
 * answer takes one lookup in one index.
 */
export function authorizeWithSwitch(schema: MappedSchema): InstalledFunction {
  const { legacy: l } = schema;
  return authorize(schema, {
    comment: sql`
      Answers from the per-API key until the key's account is switched, and from the account key after. A custom API, a
      held key and an exception are always answered by the per-API key. No row for an unknown API.`,
    body: sql`
      ${l.apiNeedsAccount ? ruleOfAccounts(schema) : ruleOfStore(schema)}

      IF rule.mode = 'none' THEN
        ${perApiLookup(schema)}
        IF FOUND THEN RETURN NEXT; RETURN; END IF;
        ${accountLookup(schema, 'AND t.origin_api_id IS NULL')}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;

      IF NOT rule.overlapping THEN
        ${answerWithoutOverlaps(schema)}
        RETURN;
      END IF;

      ${answerWithOverlaps(schema)}`,
  });
}

/** One API Store for every account: for a custom API, the per-API key answers at once. */
const ruleOfStore = (schema: MappedSchema): string => sql`
  SELECT ${schema.legacy.inStore()} AS in_store, r.mode, r.cohorts,
    r.mode <> 'none' AND EXISTS (SELECT FROM keylift.overlaps) AS overlapping
  INTO rule
  FROM ${schema.legacy.apis} a
    JOIN keylift.switch_rule r ON r.singleton
  WHERE ${schema.legacy.apiId()} = own.api;
  IF NOT FOUND THEN RETURN; END IF;

  IF NOT rule.in_store THEN
    ${perApiLookup(schema)}
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  END IF;`;

/**
 * Store APIs of each account: a key that stays in an API of another account can have the token of an account key of that
 * account. The ledger does not list such keys as overlaps, so they are looked for.
 */
const ruleOfAccounts = ({ legacy: l }: MappedSchema): string => sql`
  SELECT r.mode, r.cohorts,
    r.mode <> 'none' AND (
      EXISTS (SELECT FROM keylift.overlaps)
      OR EXISTS (
        SELECT
        FROM
          ${l.from}
        WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
          AND ${l.outOfStore}
          AND ${l.alive()}
          AND ${l.isPerApiKey()}
      )
    ) AS overlapping
  INTO rule
  FROM ${l.apis} g
    JOIN keylift.switch_rule r ON r.singleton
  WHERE ${l.apiId('g')} = own.api;
  IF NOT FOUND THEN RETURN; END IF;`;

/** No held key or exception shares its token with an account key: the table that has the token answers. */
function answerWithoutOverlaps(schema: MappedSchema): string {
  const { legacy: l } = schema;
  return sql`
    IF rule.mode = 'all' THEN
      ${accountLookup(schema)}
      IF FOUND THEN RETURN NEXT; RETURN; END IF;
    ELSE
      SELECT t.id, t.account_id,
        (
          ${ANSWERED_FROM_SETTINGS}
        ) AS switched
      INTO per_account
      FROM
        ${accountKeyOfApi(l)}
      WHERE t.token = own.sent
        AND ${aliveTarget(l)}
        ${inStoreOfKey(l)};
      IF per_account.switched THEN
        ${answer('per_account', 'account')}
        RETURN;
      ELSIF FOUND THEN
        ${perApiLookup(schema)}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;
    END IF;
    ${perApiLookup(schema, stillPerApi(schema))}
    IF FOUND THEN RETURN NEXT; END IF;`;
}

/** Both tables may hold the token for this API: the earliest answers, as before the migration. */
function answerWithOverlaps(schema: MappedSchema): string {
  const { legacy: l } = schema;
  return sql`
    SELECT ${l.id()} AS id, ${l.account()} AS account_id, ${l.createdAt()} AS created_at
    INTO per_api
    FROM
      ${l.from}
    WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
      AND ${l.alive()}
      AND ${l.isPerApiKey()}
      ${stillPerApi(schema)}
    ORDER BY ${l.createdAt()}, ${l.id()}
    LIMIT 1;
    SELECT t.id, t.account_id, t.origin_api_id, t.created_at
    INTO per_account
    FROM
      ${accountKeyOfApi(l)}
    WHERE t.token = own.sent
      AND ${aliveTarget(l)}
      ${inStoreOfKey(l)}
      AND (
        ${ANSWERED_FROM_SETTINGS}
      );
    -- Where both hold the token for this API, the earliest answers, as before.
    IF per_api.id IS NOT NULL AND NOT (
      per_account.id IS NOT NULL AND EXISTS (
        SELECT
        FROM (
          ${rowsBehind({ account: 'per_account', api: 'own.api' })}
        ) had
        WHERE per_api.created_at IS NULL OR (had.created_at, had.id) < (per_api.created_at, per_api.id)
      )
    ) THEN
      ${answer('per_api', 'per_api')}
    ELSIF per_account.id IS NOT NULL THEN
      ${answer('per_account', 'account')}
    END IF;`;
}

/** FROM over the account keys `t`, with the API that is asked for and the key's account where `inStore` needs them. */
const accountKeyOfApi = (l: LegacyFragments): string => sql`
  ${l.target} t
  ${joinStore(l, { api: 'own.api', account: 't.account_id' })}`;

/** Does the account of the key `t` open the API that is asked for? Known already where the store is one for all. */
const inStoreOfKey = (l: LegacyFragments): string => (l.apiNeedsAccount ? `AND ${l.inStore()}` : '');

/** A native key, or the account key `t` of a switched account. */
const ANSWERED_FROM_SETTINGS = sql`
  t.origin_api_id IS NULL
  OR ${isSwitched('t.account_id', 'rule.cohorts')}`;

/** Not the row of a switched account that an account key answers for. */
const stillPerApi = (schema: MappedSchema): string => sql`
  AND NOT (
    ${schema.legacy.apiNeedsAccount ? `${schema.legacy.inStore()} AND` : ''}
    ${hasAccountKey(schema)}
    AND ${isSwitched(schema.legacy.account(), 'rule.cohorts')}
  )`;

const answer = (record: 'per_api' | 'per_account', source: 'per_api' | 'account'): string => sql`
  key_id := ${record}.id;
  account_id := ${record}.account_id;
  source := '${source}';
  RETURN NEXT;`;

/** The old rule: an alive per-API key with this token and this API; of several the earliest, then the lowest id. */
const perApiLookup = ({ legacy: l }: MappedSchema, further = ''): string => sql`
  SELECT ${l.id()}, ${l.account()}, 'per_api'
  INTO authorize.key_id, authorize.account_id, authorize.source
  FROM
    ${l.from}
  WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
    AND ${l.alive()}
    AND ${l.isPerApiKey()}
    ${further}
  ORDER BY ${l.createdAt()}, ${l.id()}
  LIMIT 1;`;

/** The alive account key with this token that opens this API; there is one at most. */
const accountLookup = ({ legacy: l }: MappedSchema, further = ''): string => sql`
  SELECT t.id, t.account_id, 'account'
  INTO authorize.key_id, authorize.account_id, authorize.source
  FROM
    ${accountKeyOfApi(l)}
  WHERE t.token = own.sent
    AND ${aliveTarget(l)}
    ${inStoreOfKey(l)}
    ${further};`;

function authorize(
  { types, searchPath }: MappedSchema,
  { comment, body }: { comment: string; body: string },
): InstalledFunction {
  return installedFunction({
    name: 'authorize',
    replace: true,
    parameters: [
      { name: 'token', type: types.token },
      { name: 'api_id', type: types.apiId },
    ],
    returns: `TABLE (key_id ${types.id}, account_id ${types.account}, source text)`,
    attributes: 'STABLE ROWS 1',
    searchPath,
    // A session that planned its lookups while the tables were small must not go on reading them whole. Where there is no
    // other way a plan gets a huge cost with that, which before 18 is taken for a reason to compile it at every call.
    settings: ['enable_seqscan = off', 'jit = off'],
    comment: `Which key opens this API with this token, and whose is it? One row at most.\n${comment}`,
    body: sql`
      <<own>>
      DECLARE
        -- Named with their block: a column of the operator's may have the same name. Copies: a parameter takes the
        -- collation of its argument, and those of token and API may differ.
        sent CONSTANT ${types.token}${types.neutral.token} := authorize.token;
        api CONSTANT ${types.apiId}${types.neutral.apiId} := authorize.api_id;
        in_store boolean;
        rule record;
        per_api record;
        per_account record;
      BEGIN
        ${body}
      END`,
  });
}
