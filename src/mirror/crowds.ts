import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { settledByItself } from '../mapping/rules/verdicts.js';
import { KEPT_PLANS } from './fragments.js';

/** Up to this many other rows are decided with the row that changes: that is no slower. */
const SMALL_GROUP = 20;

/**
 * `keylift.crowded_tokens(id, tokens)`: the tokens of many rows whose verdicts do not depend on the row with this id. A
 * platform may overwrite the token of every deleted key by one constant; a further deletion must not decide them all again.
 *
 * Where two other rows of the token may move and belong to two accounts, each row that may move is a hold or
 * `shared_token` (rules 7 and 9), with or without this row. Only a hold of this row could make others of its account a
 * hold, and a hold of another row of its account could make this one a hold: both take the long way.
 */
export function crowdedTokens(schema: MappedSchema): InstalledFunction {
  const { legacy: l, types, searchPath } = schema;
  return installedFunction({
    name: 'crowded_tokens',
    parameters: [
      { name: 'touched_id', type: types.id },
      { name: 'touched_tokens', type: `${types.token}[]` },
    ],
    returns: `${types.token}[]`,
    searchPath,
    settings: KEPT_PLANS,
    comment: sql`
      Of these tokens, those that many rows have, at least two of them of different accounts, without the row with this
      id. Two such rows are locked until this transaction ends, so that they keep token and account. Rows that other
      sessions change are passed over: nobody waits.`,
    body: sql`
      <<own>>
      DECLARE
        -- Copies: a parameter takes the collation of its argument.
        id CONSTANT ${types.id}${types.neutral.id} := touched_id;
        tokens CONSTANT ${types.token}[]${types.neutral.token} := touched_tokens;
        token ${types.token}${types.neutral.token};
        crowded ${types.token}[]${types.neutral.token} := '{}';
        account ${types.account};
      BEGIN
        IF EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = own.id) THEN RETURN own.crowded; END IF;
        FOR position IN 1..cardinality(own.tokens) LOOP
          own.token := own.tokens[position];
          CONTINUE WHEN NOT EXISTS (
            SELECT FROM ${l.keys} k WHERE ${l.token()} = own.token OFFSET ${SMALL_GROUP}
          );
          ${lockOneOther(schema, 'true')}
          CONTINUE WHEN NOT FOUND;
          ${lockOneOther(schema, `${l.account()} <> own.account`)}
          CONTINUE WHEN NOT FOUND;
          CONTINUE WHEN ${isHeldWithOthers(schema)};
          own.crowded := own.crowded || own.token;
        END LOOP;
        RETURN own.crowded;
      END`,
  });
}

/** Locks a row of the token, not the changed one, that may move and meets the condition; `own.account` is its account. */
const lockOneOther = ({ legacy: l }: MappedSchema, condition: string): string => sql`
  SELECT ${l.account()}
  INTO own.account
  FROM
    ${l.from}
  WHERE ${l.token()} = own.token AND ${l.id()} <> own.id
    AND ${condition}
    AND ${l.isPerApiKey()}
    AND (${settledByItself(l)}) IS NULL
  LIMIT 1
  FOR SHARE OF k SKIP LOCKED;`;

/** Does a hold name another row of the token and of the changed row's account? */
const isHeldWithOthers = ({ legacy: l }: MappedSchema): string => sql`
  EXISTS (SELECT FROM keylift.holds h WHERE h.key_id IS NOT NULL) AND EXISTS (
    SELECT FROM ${l.keys} k
    WHERE ${l.token()} = own.token
      AND ${l.account()} = (SELECT ${l.account('c')} FROM ${l.keys} c WHERE ${l.id('c')} = own.id)
      AND EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = ${l.id()})
  )`;
