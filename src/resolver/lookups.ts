import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { joinStore } from '../mapping/store.js';
import { isSwitched } from './cohort.js';
import { accountKeyAnswers, aliveTarget, rowsBehind } from './conditions.js';

/* What `keylift.authorize` looks up, as plpgsql. The variables are those of its DECLARE. */

/** The old rule: an alive per-API key with this token and this API; of several the earliest, then the lowest id. */
export const perApiLookup = ({ legacy: l }: MappedSchema, further = ''): string => sql`
  SELECT ${l.id()}, ${l.account()}, 'per_api'
  INTO authorize.key_id, authorize.account_id, authorize.source
  FROM
    ${l.from}
  WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
    AND ${l.alive()}
    AND ${l.isPerApiKey()}
    ${knownApi(l)}
    ${further}
  ORDER BY ${l.createdAt()}, ${l.id()}
  LIMIT 1;`;

/** Not the key of an API that is missing. Where the store is one for all, the API is known by now. */
const knownApi = (l: LegacyFragments): string => (l.apiNeedsAccount ? `AND ${l.apiId()} IS NOT NULL` : '');

/** The alive account key with this token that opens this API; there is one at most. */
export const accountLookup = ({ legacy: l }: MappedSchema, further = ''): string => sql`
  SELECT t.id, t.account_id, 'account'
  INTO authorize.key_id, authorize.account_id, authorize.source
  FROM
    ${accountKeyOfApi(l)}
  WHERE t.token = own.sent
    AND ${aliveTarget(l)}
    ${inStoreOfKey(l)}
    ${further};`;

/** Both tables may hold the token for this API: the earliest answers, as before the migration. */
export function answerWithOverlaps(schema: MappedSchema): string {
  const { legacy: l } = schema;
  return sql`
    SELECT ${l.id()} AS id, ${l.account()} AS account_id, ${l.createdAt()} AS created_at
    INTO per_api
    FROM
      ${l.from}
    WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
      AND ${l.alive()}
      AND ${l.isPerApiKey()}
      ${knownApi(l)}
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
export const accountKeyOfApi = (l: LegacyFragments): string => sql`
  ${l.target} t
  ${joinStore(l, { api: 'own.api', account: 't.account_id' })}`;

/** Does the account of the key `t` open the API that is asked for? Known already where the store is one for all. */
export const inStoreOfKey = (l: LegacyFragments): string => (l.apiNeedsAccount ? `AND ${l.inStore()}` : '');

/** A native key, or the account key `t` of a switched account. */
export const ANSWERED_FROM_SETTINGS = sql`
  t.origin_api_id IS NULL
  OR ${isSwitched('t.account_id', 'rule.cohorts')}`;

/** Not the row of a switched account that an account key answers for. */
export const stillPerApi = (schema: MappedSchema): string => sql`
  AND NOT (
    ${accountKeyAnswers(schema, 'rule.cohorts')}
  )`;

export const answer = (record: 'per_api' | 'per_account', source: 'per_api' | 'account'): string => sql`
  key_id := ${record}.id;
  account_id := ${record}.account_id;
  source := '${source}';
  RETURN NEXT;`;
