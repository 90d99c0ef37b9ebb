import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { aliveTarget } from './conditions.js';
import {
  accountLookup,
  answer,
  ANSWERED_FROM_SETTINGS,
  answerWithOverlaps,
  perApiLookup,
  stillPerApi,
} from './lookups.js';
import { answerOfOwnApis, RULE } from './own-apis.js';

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
      ${l.apiNeedsAccount ? RULE : ruleOfStore(schema)}

      IF rule.mode = 'none' THEN
        ${perApiLookup(schema)}
        IF FOUND THEN RETURN NEXT; RETURN; END IF;
        ${accountLookup(schema, 'AND t.origin_api_id IS NULL')}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;

      IF NOT rule.overlapping THEN
        ${l.apiNeedsAccount ? answerOfOwnApis(schema) : `${answerWithoutOverlaps(schema)}\nRETURN;`}
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
      FROM ${l.target} t
      WHERE t.token = own.sent
        AND ${aliveTarget(l)};
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
    // The plan of a first call would name the token, and the server may be told to log it.
    settings: ['enable_seqscan = off', 'jit = off', 'plan_cache_mode = force_generic_plan'],
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
