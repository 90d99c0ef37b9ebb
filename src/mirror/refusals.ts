import { parseTableName } from '../config/identifiers.js';
import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { commaList, literal, sql } from '../database/sql.js';
import { derivedName } from '../mapping/copy.js';
import { indexNames } from '../mapping/indexes.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { settledByItself } from '../mapping/rules/verdicts.js';
import { callSettle, KEPT_PLANS } from './fragments.js';
import { MARK_VARIABLES, marked } from './own-writes.js';
import { backOnOwnPath, ON_PLATFORM_PATH, PATH_VARIABLE } from './platform-path.js';

/** Columns of the new table that are never NULL, whatever the platform says. */
const NEVER_NULL = ['id', 'account_id', 'token', 'scope', 'created_at'];
/** Errors that a retry cures or that end the session: serialization, resources, limits, locks, an operator. */
const PASSED_ON = ['25', '40', '53', '54', '55', '57', '58', 'XX'];

/** Functions for a new table on which the platform has triggers or constraints of its own (rule 12). */
export const refusalFunctions = (schema: MappedSchema): InstalledFunction[] => [
  mayRefuse(schema),
  settleOrExcept(schema),
];

/** Settles keys, or makes exceptions of those that the new table refuses, where it may refuse any. */
export const settleSafely = (ids: string, tokens: string, byTrigger: boolean): string => sql`
  IF keylift.new_table_may_refuse() THEN
    IF keylift.settle_or_except(${ids}, ${tokens}, ${String(byTrigger)}) IS NULL THEN NULL; END IF;
  ELSE
    ${callSettle([ids, tokens, ...(byTrigger ? ['true'] : [])].join(', '))}
  END IF;`;

function mayRefuse(schema: MappedSchema): InstalledFunction {
  const { name } = parseTableName(schema.settings.target.table);
  const checks = ['scope_check', 'token_check'].map((suffix) => derivedName(name, suffix));
  const plain = (names: readonly string[]): string => commaList(names.map((quoted) => literal(unquoted(quoted))));
  const table = literal(schema.legacy.target);
  return installedFunction({
    name: 'new_table_may_refuse',
    parameters: [],
    returns: 'boolean',
    searchPath: 'pg_catalog, pg_temp',
    settings: KEPT_PLANS,
    comment: sql`
      Has the new table a trigger, a check, a unique index or a NOT NULL that keylift did not make? Then it may refuse
      what the legacy table took.`,
    body: sql`
      BEGIN
        RETURN EXISTS (
          SELECT FROM pg_trigger t
          WHERE t.tgrelid = ${table}::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
            AND NOT starts_with(t.tgname::text, 'keylift_')
        ) OR EXISTS (
          SELECT FROM pg_constraint c
          WHERE c.conrelid = ${table}::regclass AND c.contype IN ('c', 'x')
            AND c.conname NOT IN (${plain(checks)})
        ) OR EXISTS (
          SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          WHERE i.indrelid = ${table}::regclass AND i.indisunique
            AND c.relname NOT IN (${plain(indexNames(schema))})
        ) OR EXISTS (
          SELECT FROM pg_attribute a
          WHERE a.attrelid = ${table}::regclass AND a.attnotnull AND a.attnum > 0
            AND a.attname NOT IN (${commaList(NEVER_NULL.map(literal))})
        );
      END`,
  });
}

const unquoted = (name: string): string => name.replace(/^"(.*)"$/, '$1').replaceAll('""', '"');

/**
 * Together first, as the rules decide keys of one token together; then one by one. A key that the new table refuses
 * gives its account key up: that one would be out of date, and could open what is revoked by now.
 */
function settleOrExcept(schema: MappedSchema): InstalledFunction {
  const { legacy: l, types, searchPath } = schema;
  return installedFunction({
    name: 'settle_or_except',
    parameters: [
      { name: 'touched_ids', type: `${types.id}[]` },
      { name: 'touched_tokens', type: `${types.token}[]` },
      { name: 'by_trigger', type: 'boolean' },
    ],
    returns: 'void',
    searchPath,
    settings: KEPT_PLANS,
    comment: sql`
      Settles keys. What the new table refuses, by a trigger or a constraint of the platform, becomes an exception
      (not_carried): the write of the legacy table goes on.`,
    body: sql`
      <<own>>
      DECLARE
        -- Copies: a parameter takes the collation of its argument.
        ids CONSTANT ${types.id}[]${types.neutral.id} := touched_ids;
        tokens CONSTANT ${types.token}[]${types.neutral.token} := touched_tokens;
        token_of_key ${types.token}[]${types.neutral.token};
        one ${types.id};
        ${MARK_VARIABLES}
        ${PATH_VARIABLE}
      BEGIN
        BEGIN
          ${callSettle('own.ids, own.tokens, settle_or_except.by_trigger')}
          RETURN;
        EXCEPTION WHEN OTHERS THEN
          ${passOn}
        END;
        FOR one IN
          SELECT unnest(own.ids)
          UNION
          SELECT ${l.id()} FROM ${l.keys} k WHERE ${l.token()} = ANY (own.tokens)
          UNION
          SELECT t.id FROM ${l.target} t WHERE t.token = ANY (own.tokens) AND t.origin_api_id IS NOT NULL
        LOOP
          BEGIN
            token_of_key := ARRAY(
              SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.id()} = own.one AND ${l.hasToken()}
              UNION
              SELECT t.token FROM ${l.target} t WHERE t.id = own.one
            );
            ${callSettle('ARRAY[own.one], own.token_of_key, settle_or_except.by_trigger')}
          EXCEPTION WHEN OTHERS THEN
            ${passOn}
            ${marked(makeException(schema))}
          END;
        END LOOP;
      END`,
  });
}

const passOn = `IF left(SQLSTATE, 2) IN (${commaList(PASSED_ON.map(literal))}) THEN RAISE; END IF;`;

/** Duplicates that followed the account key of `own.one` become exceptions with it. */
const makeException = ({ legacy: l, searchPath }: MappedSchema): string => sql`
  DELETE FROM ${l.target} t
  WHERE t.id = own.one AND t.origin_api_id IS NOT NULL
    AND ${ON_PLATFORM_PATH};
  ${backOnOwnPath({ searchPath })}
  INSERT INTO keylift.outcomes AS x (key_id, outcome, reason)
  SELECT ${l.id()}, 'exception', coalesce(${settledByItself(l)}, 'not_carried')
  FROM
    ${l.from}
  WHERE ${l.isPerApiKey()}
    AND (${settledByItself(l)}) IS DISTINCT FROM 'stay'
    AND (
      ${l.id()} = own.one
      OR ${l.id()} IN (
        SELECT m.key_id FROM keylift.outcomes m WHERE m.account_key_id = own.one AND m.outcome = 'merge'
      )
    )
  ON CONFLICT (key_id) DO UPDATE
  SET outcome = excluded.outcome, reason = excluded.reason, account_key_id = NULL, group_key_id = NULL,
    source = NULL, opened_api_id = NULL, opened_since = NULL, settled_at = clock_timestamp();
  DELETE FROM keylift.outcomes x
  WHERE x.key_id = own.one AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = own.one);
  INSERT INTO keylift.overlaps (key_id)
  SELECT x.key_id
  FROM keylift.outcomes x
    JOIN ${l.keys} k ON ${l.id()} = x.key_id
    JOIN ${l.target} b ON b.token = ${l.token()}
  WHERE x.key_id = own.one
  ON CONFLICT DO NOTHING;`;
