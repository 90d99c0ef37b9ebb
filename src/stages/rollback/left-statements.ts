import { literal, sql } from '../../database/sql.js';
import { ARCHIVE } from '../../mapping/archive.js';
import { overSource } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { backOnOwnPath, PATH_VARIABLE } from '../../mirror/platform-path.js';
import { insertArchived } from './statements.js';

/** Archived rows with one account key. */
export interface RowGroup {
  account_key_id: string;
  ids: string[];
}

const ATTEMPT = '(SELECT m.attempt FROM keylift.migration m)';

/** Why PostgreSQL refused a row: its class of errors, by SQLSTATE. `state` is an expression. */
const reasonOf = (state: string): string => sql`
  CASE
    WHEN ${state} IN ('23505', '23P01') THEN 'duplicate'
    WHEN ${state} = '23514' THEN 'check'
    WHEN ${state} = '23502' THEN 'not_null'
    WHEN ${state} = '23503' THEN 'foreign_key'
    ELSE 'value'
  END`;

/**
 * Restores groups of rows, each by itself: what the legacy table refuses stays out, with the reason. Where rows of a group
 * point nowhere, they open nothing any more, and the others come back without them. Else a refused row keeps its whole
 * group out: its token must go on opening what it opens. Values are not bound: a DO block takes none.
 */
export const restoreGroups = (
  schema: MappedSchema,
  columns: readonly string[],
  groups: readonly RowGroup[],
): string => {
  const { id } = schema.types;
  const list = JSON.stringify(groups.map(({ account_key_id, ids }) => ({ account_key_id, ids })));
  return sql`
    /* bringing back archived rows one by one */
    DO $restore$
    #variable_conflict use_column
    <<own>>
    DECLARE
      listed json;
      account_key ${id};
      ids ${id}[];
      whole ${id}[];
      complete ${id}[];
      state text;
      constraint_name text;
      ${PATH_VARIABLE}
    BEGIN
      FOR listed IN SELECT json_array_elements(${literal(list)}::json) LOOP
        account_key := (own.listed ->> 'account_key_id')::${id};
        ids := ARRAY(SELECT json_array_elements_text(own.listed -> 'ids')::${id});
        BEGIN
          ${insertArchived(schema, columns, 'own.ids')};
          ${backOnOwnPath(schema)}
          CONTINUE;
        EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
          GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, constraint_name = CONSTRAINT_NAME;
        END;
        complete := ARRAY(${rowsThatPointSomewhere(schema)});
        IF cardinality(own.complete) BETWEEN 1 AND cardinality(own.ids) - 1 THEN
          whole := own.ids;
          ids := own.complete;
          BEGIN
            ${insertArchived(schema, columns, 'own.ids')};
            ${backOnOwnPath(schema)}
            ids := ARRAY(SELECT unnest(own.whole) EXCEPT SELECT unnest(own.complete));
          EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, constraint_name = CONSTRAINT_NAME;
            ids := own.whole;
          END;
        END IF;
        ${keepLeft(schema)};
      END LOOP;
    END
    $restore$;`;
};

const rowsThatPointSomewhere = ({ legacy }: MappedSchema): string => {
  const l = overSource(legacy, ARCHIVE);
  return sql`
    SELECT ${l.id()}
    FROM
      ${l.from}
    WHERE ${l.id()} = ANY (own.ids) AND ${l.apiId()} IS NOT NULL AND ${l.accountId()} IS NOT NULL`;
};

/** Keeps the rows `ids`, whole, with the reason. */
const keepLeft = ({ legacy }: MappedSchema): string => {
  const l = overSource(legacy, ARCHIVE);
  return sql`
    INSERT INTO keylift.left_keys (key_id, account_key_id, attempt, reason, sqlstate, constraint_name, source)
    SELECT ${l.id()}, own.account_key, ${ATTEMPT},
      CASE
        WHEN ${l.apiId()} IS NULL THEN 'missing_api'
        WHEN ${l.accountId()} IS NULL THEN 'missing_account'
        ELSE ${reasonOf('own.state')}
      END,
      own.state, nullif(own.constraint_name, ''), row_to_json(k)
    FROM
      ${l.from}
    WHERE ${l.id()} = ANY (own.ids)`;
};

/** Which of the rows $1 were left by this attempt. */
export const leftOf = ({ types }: MappedSchema): string => sql`
  SELECT x.key_id::text AS id
  FROM keylift.left_keys x
  WHERE x.attempt = ${ATTEMPT} AND x.key_id = ANY ($1::text[]::${types.id}[])`;

/** The account keys $1 stay without their per-API keys: from here on they are native keys. */
export const makeNative = ({ legacy: l, types }: MappedSchema): string => sql`
  UPDATE ${l.target} t
  SET origin_api_id = NULL
  WHERE t.id = ANY ($1::text[]::${types.id}[]) AND t.origin_api_id IS NOT NULL`;

export const forgetOutcomes = ({ types }: MappedSchema): string => sql`
  DELETE FROM keylift.outcomes x
  WHERE x.key_id = ANY ($1::text[]::${types.id}[])`;

/**
 * Account keys whose API was deleted, and their per-API rows with it: nothing can be brought back for them. A token that
 * another per-API key has goes back to that key.
 */
export const keepWithoutApi = ({ legacy: l }: MappedSchema): string => sql`
  /* rollback: keep the account keys whose API and per-API key are gone */
  WITH kept AS (
    UPDATE ${l.target} t
    SET origin_api_id = NULL
    WHERE t.origin_api_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM ${l.apis} a WHERE ${l.apiId()} = t.origin_api_id)
      AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id)
      AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = t.token)
    RETURNING t.id
  )
  INSERT INTO keylift.left_keys (key_id, account_key_id, attempt, reason)
  SELECT kept.id, kept.id, ${ATTEMPT}, 'missing_api'
  FROM kept`;

/** The keys that this attempt left. */
export const LEFT_KEYS = sql`
  SELECT x.key_id::text AS key_id, x.reason, x.constraint_name AS constraint
  FROM keylift.left_keys x
  WHERE x.attempt = ${ATTEMPT}
  ORDER BY x.key_id`;
