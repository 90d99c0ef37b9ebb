import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import {
  carryBack,
  columnsWithoutLegacy,
  lockMerged,
  perApiRowsOf,
  plannedBySize,
  refuseChangeOf,
} from './carry-back.js';
import { IS_OWN_WRITE } from './own-writes.js';
import { backOnOwnPath, ON_PLATFORM_PATH, triggerFunction, typeInCatalog } from './platform-path.js';

/** Trigger functions of the new table. What they write fires the legacy table's triggers, which find nothing to do. */
export const targetTriggerFunctions = (schema: MappedSchema): InstalledFunction[] => [
  mirrorBackUpdate(schema),
  mirrorBackDelete(schema),
];

/** The mirror does not carry its own writes back. */
const LEAVE_MIRRORED = sql`IF ${IS_OWN_WRITE} THEN EXIT body; END IF;`;

function mirrorBackUpdate(schema: MappedSchema): InstalledFunction {
  const freed = {
    from: 'old_rows o JOIN new_rows n ON n.id = o.id',
    where: 'o.origin_api_id IS NULL AND n.token <> o.token',
  };
  return triggerFunction(schema, {
    name: 'mirror_back_update',
    comment: sql`
      Runs after every UPDATE of account_api_keys by the platform. Carries the change back to the per-API row and to the
      rows merged into it. A token that a native key gave up is free again: its per-API keys are settled anew.`,
    declare: sql`
      ids ${typeInCatalog(schema.types.id)}[];
      changes pg_catalog.text[];`,
    body: sql`
      ${LEAVE_MIRRORED}
      ${refuseChangeOf(columnsWithoutLegacy(schema))}
      ${settleFreedTokens(schema, freed)}
      ${settleMovedAccounts(schema)}
      ${carryBack(schema, schema.legacy.keys)}`,
  });
}

function mirrorBackDelete(schema: MappedSchema): InstalledFunction {
  const { legacy: l } = schema;
  const accountExists = `EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = d.account_id)`;
  const deleted = perApiRowsOf('old_rows', ['d.origin_api_id IS NOT NULL', accountExists]);
  return triggerFunction(schema, {
    name: 'mirror_back_delete',
    comment: sql`
      Runs after every DELETE from account_api_keys by the platform. Deletes the per-API row and the rows merged into it.
      Where the account itself is gone, the per-API rows stay and are settled anew. So are the per-API keys of a token
      that a native key gave up.`,
    body: sql`
      ${LEAVE_MIRRORED}
      ${lockMerged(schema, { table: l.keys, rows: 'old_rows' })}
      -- The foreign key deletes account keys with their account; their per-API rows are exceptions for the operator.
      ${plannedBySize(sql`
        DELETE FROM ${l.keys} k
        USING ${deleted}
        WHERE ${l.id()} = m.key_id
          AND ${ON_PLATFORM_PATH}`)}
      ${backOnOwnPath(schema)}
      PERFORM keylift.settle(gone.ids, gone.tokens)
      FROM (
        SELECT array_agg(d.id) AS ids, array_agg(d.token) AS tokens
        FROM old_rows d
        WHERE d.origin_api_id IS NOT NULL
          AND NOT ${accountExists}
      ) gone
      WHERE gone.ids IS NOT NULL;
      ${settleFreedTokens(schema, { from: 'old_rows o', where: 'o.origin_api_id IS NULL' })}`,
  });
}

/**
 * An account changed its id, and the foreign key took its account keys along. Where the per-API rows follow by a foreign
 * key of their own, the change is carried like any other. Else they keep the old id, as they always did.
 */
const settleMovedAccounts = ({ accountForeignKey }: MappedSchema): string =>
  accountForeignKey?.onUpdate === 'CASCADE'
    ? ''
    : sql`
        -- EXCEPT rather than a join: its cost does not depend on a plan made for another number of rows.
        SELECT array_agg(moved.id)
        INTO ids
        FROM (
          SELECT n.id, n.account_id FROM new_rows n WHERE n.origin_api_id IS NOT NULL
          EXCEPT ALL
          SELECT o.id, o.account_id FROM old_rows o
        ) moved;
        IF ids IS NOT NULL THEN
          PERFORM keylift.settle_ids(ids);
          EXIT body;
        END IF;`;

/** Settles the per-API keys of tokens that a native key had until now. */
const settleFreedTokens = (
  { legacy: l }: MappedSchema,
  { from, where }: { from: string; where: string },
): string => sql`
  PERFORM keylift.settle('{}', freed.tokens)
  FROM (
    SELECT array_agg(DISTINCT o.token) AS tokens
    FROM ${from}
    WHERE ${where}
      AND EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = o.token)
  ) freed
  WHERE freed.tokens IS NOT NULL;`;

/** A native key may not take the token of a per-API key that the store knows. */
export const checkToken = ({ legacy: l, searchPath }: MappedSchema): InstalledFunction =>
  installedFunction({
    name: 'check_token',
    returns: 'trigger',
    searchPath,
    comment: sql`
      Runs before a native key is inserted and before its token changes. Refuses an empty token, and a token that a
      per-API key of a store API has.`,
    body: sql`
      BEGIN
        IF TG_OP = 'UPDATE' THEN
          IF NEW.token = OLD.token THEN RETURN NEW; END IF;
        END IF;
        IF length(NEW.token) = 0 THEN
          RAISE EXCEPTION 'a key needs a token' USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (
          SELECT FROM
            ${l.from}
          WHERE ${l.token()} = NEW.token AND ${l.inStore()} AND ${l.isPerApiKey()}
        ) THEN
          RAISE EXCEPTION 'this token belongs to an existing key' USING ERRCODE = 'unique_violation';
        END IF;
        RETURN NEW;
      END`,
  });
