import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { aliveTarget } from './conditions.js';
import { accountKeyOfApi, answer, ANSWERED_FROM_SETTINGS, inStoreOfKey, perApiLookup, stillPerApi } from './lookups.js';

/*
 * `keylift.authorize` where each account has store APIs of its own. Which APIs these are depends on the account of the
 * key, so no answer is possible before a key is found.
 */

/** Reads the rule of the switch. The lookups read the API with the key. */
export const RULE = sql`
  SELECT r.mode, r.cohorts, r.mode <> 'none' AND EXISTS (SELECT FROM keylift.overlaps) AS overlapping
  INTO rule
  FROM keylift.switch_rule r
  WHERE r.singleton;`;

/**
 * No held key or exception shares its token with an account key. The key of another account can still have the token,
 * in an API that is a store API for the account key: it stays, and the ledger has no line for it. Then nothing is
 * answered here, and both keys are compared.
 */
export const answerOfOwnApis = (schema: MappedSchema): string => sql`
  ${accountKeyLookup(schema)}
  IF per_account.id IS NULL THEN
    ${perApiLookup(schema, stillPerApi(schema))}
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  ELSIF NOT per_account.crowded THEN
    IF per_account.switched THEN
      ${answer('per_account', 'account')}
      RETURN;
    END IF;
    ${perApiLookup(schema)}
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  END IF;`;

const accountKeyLookup = (schema: MappedSchema): string => sql`
  IF rule.mode = 'all' THEN
    ${findAccountKey(schema, 'true')}
  ELSE
    ${findAccountKey(schema, ANSWERED_FROM_SETTINGS)}
  END IF;`;

const findAccountKey = ({ legacy: l }: MappedSchema, switched: string): string => sql`
  SELECT t.id, t.account_id,
    (
      ${switched}
    ) AS switched,
    EXISTS (
      SELECT
      FROM ${l.keys} k
      WHERE ${l.token()} = own.sent AND ${l.api()} = own.api
        AND ${l.account()} IS DISTINCT FROM t.account_id
    ) AS crowded
  INTO per_account
  FROM
    ${accountKeyOfApi(l)}
  WHERE t.token = own.sent
    AND ${aliveTarget(l)}
    ${inStoreOfKey(l)};`;
