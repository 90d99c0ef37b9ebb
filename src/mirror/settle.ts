import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { and, sql } from '../database/sql.js';
import { copiedColumns, sourceRow, targetRow } from '../mapping/copy.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { movesAlone, staysByItself } from '../mapping/rules/verdicts.js';
import { KEPT_PLANS, mirrorVerdicts, standsAlone, THIS_MIGRATION } from './fragments.js';
import { LATE, noteLate } from './late-keys.js';
import { MARK_VARIABLES, marked } from './own-writes.js';
import { backOnOwnPath, ON_PLATFORM_PATH, PATH_VARIABLE } from './platform-path.js';

/** Up to this many ids and tokens `settle_few` does the work. */
const FEW = 200;

/**
 * `keylift.settle(ids, tokens)`: makes account keys and outcomes what the rules say of the legacy rows with these ids or
 * tokens as they are now. It looks at the state, not at the event, so running it twice changes nothing. docs/races.md
 * describes the races it decides.
 */
export function settleFunction(schema: MappedSchema): InstalledFunction {
  const { types, searchPath } = schema;
  return installedFunction({
    name: 'settle',
    parameters: [
      { name: 'touched_ids', type: `${types.id}[]` },
      { name: 'touched_tokens', type: `${types.token}[]` },
      { name: 'by_trigger', type: 'boolean', default: 'false' },
    ],
    returns: 'void',
    searchPath,
    settings: KEPT_PLANS,
    comment: sql`
      Makes account keys and outcomes what the rules say of the legacy rows with these ids or tokens as they are now. The
      triggers call it for changed rows; a stage calls it where a hold, an account or an API may have changed a verdict.
      It returns early where a trigger asks and account key, per-API key and ledger already agree.`,
    body: sql`
      <<own>>
      DECLARE
        id CONSTANT ${types.id}${types.neutral.id} := touched_ids[1];
        token CONSTANT ${types.token}${types.neutral.token} := touched_tokens[1];
        migration_state text;
        mirror_on boolean := true;
        nothing_to_do boolean := false;
        ${MARK_VARIABLES}
        ${PATH_VARIABLE}
      BEGIN
        -- A stage that calls has a reason that no row shows: a hold, or an account.
        IF by_trigger AND cardinality(touched_ids) = 1 AND cardinality(touched_tokens) = 1 THEN
          ${askNothingToDo(schema)}
          nothing_to_do := nothing_to_do AND migration_state <> 'rolling_back';
        ELSE
          SELECT m.state, m.mirror_on
          INTO own.migration_state, own.mirror_on
          FROM ${THIS_MIGRATION};
        END IF;
        IF migration_state IS NULL THEN
          RAISE EXCEPTION 'this transaction read the database before keylift mirrored it; run it again'
            USING ERRCODE = 'serialization_failure';
        END IF;
        ${marked(sql`
          IF NOT nothing_to_do OR to_regclass('${LATE}') IS NOT NULL THEN
            <<copies>>
            DECLARE
              -- Copies: a parameter takes the collation of its argument.
              ids CONSTANT ${types.id}[]${types.neutral.id} := touched_ids;
              tokens ${types.token}[]${types.neutral.token} := touched_tokens;
              crowded ${types.token}[]${types.neutral.token} := '{}';
            BEGIN
              IF nothing_to_do THEN
                NULL;
              ELSIF migration_state = 'rolling_back' THEN
                ${takeOut(schema)}
              ELSIF cardinality(copies.ids) + cardinality(copies.tokens) <= ${FEW} THEN
                IF by_trigger AND cardinality(copies.ids) = 1 THEN
                  copies.crowded := keylift.crowded_tokens(copies.ids[1], copies.tokens);
                  IF cardinality(copies.crowded) > 0 THEN
                    copies.tokens := ARRAY(
                      SELECT given.token FROM unnest(copies.tokens) AS given (token)
                      WHERE given.token <> ALL (copies.crowded)
                    );
                  END IF;
                END IF;
                PERFORM keylift.settle_few(copies.ids, copies.tokens, own.mirror_on, copies.crowded);
              ELSE
                PERFORM keylift.settle_many(copies.ids, copies.tokens, own.mirror_on);
              END IF;
              ${noteLate(schema, { ids: 'copies.ids', tokens: 'copies.tokens' })}
            END;
          END IF;`)}
      END`,
  });
}

/**
 * Is there nothing to do for a single key? So it is with the key of a custom API or a deleted row, without an account key
 * and without an outcome; and with an account key that agrees with its row, as when the change came from Settings.
 */
function askNothingToDo({ legacy: l }: MappedSchema): string {
  const columns = copiedColumns(l);
  return sql`
    SELECT
      (SELECT m.state FROM ${THIS_MIGRATION}),
      NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
        ${and(standsAlone(l))}
        AND CASE
          WHEN t.id IS NULL THEN
            ${l.id()} IS NULL OR NOT ${l.isPerApiKey()} OR ${staysByItself(l)}
          ELSE
            ${l.isPerApiKey()}
            AND ${movesAlone(l, mirrorVerdicts(l))}
            AND record_image_eq(
              ${targetRow(columns)},
              ${sourceRow(columns)})
          END
    INTO own.migration_state, own.nothing_to_do
    FROM (SELECT) one
      LEFT JOIN ${l.target} t ON t.id = own.id AND t.origin_api_id IS NOT NULL
      LEFT JOIN (
        ${l.from}
      ) ON ${l.id()} = own.id;`;
}

/** A rollback is taking account keys out; a change must not bring one back. */
const takeOut = ({ legacy: l, ...schema }: MappedSchema): string => sql`
  ${
    l.writable.lastUsedAt === null
      ? ''
      : sql`
          UPDATE ${l.keys} k
          SET ${l.writable.lastUsedAt} = t.last_used_at
          FROM ${l.target} t
          WHERE ${l.id()} = t.id AND t.origin_api_id IS NOT NULL AND t.id = ANY (copies.ids)
            AND t.last_used_at IS NOT NULL
            AND (${l.lastUsedAt()} IS NULL OR ${l.lastUsedAt()} < t.last_used_at)
            AND ${ON_PLATFORM_PATH};
          ${backOnOwnPath(schema)}`
  }
  DELETE FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND t.id = ANY (copies.ids)
    AND ${ON_PLATFORM_PATH};
  ${backOnOwnPath(schema)}
  -- A row that left its group must not follow the account key of that group.
  DELETE FROM keylift.outcomes x
  USING ${l.keys} k
  WHERE x.key_id = ANY (copies.ids) AND x.outcome = 'merge' AND ${l.id()} = x.key_id
    AND NOT EXISTS (
      SELECT
      FROM
        ${l.from}
        JOIN ${l.target} t ON t.token = ${l.token()} AND t.account_id = ${l.account()}
      WHERE ${l.id()} = x.key_id AND t.id = x.account_key_id AND ${l.inStore()}
    );`;
