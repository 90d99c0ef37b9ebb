import { parseTableName, quoteIdentifier } from '../../config/identifiers.js';
import { literal, sql } from '../../database/sql.js';
import { drawsIds } from '../../mapping/account-keys.js';
import { derivedName } from '../../mapping/copy.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { legacyTokenIndexes } from '../../mapping/legacy-token-index.js';

/** From here on no other run can take the lead. A heartbeat locks the tables in the same order. */
export const LOCK_LEDGER = 'LOCK TABLE keylift.runs, keylift.control IN ACCESS EXCLUSIVE MODE';

/** No session may add an account key between the check and the end of the transaction. */
export const lockAccountKeys = ({ legacy: l }: MappedSchema): string =>
  `LOCK TABLE ${l.target} IN ACCESS EXCLUSIVE MODE`;

/**
 * Account keys that a rollback kept: native keys, and keys that the legacy table did not take back. $1 limits the list;
 * `total` counts all of them.
 */
export const keptKeys = ({ legacy: l }: MappedSchema): string => sql`
  SELECT t.id::text AS key_id, t.account_id::text AS account_id,
    (SELECT x.reason FROM keylift.left_keys x WHERE x.key_id = t.id ORDER BY x.attempt DESC LIMIT 1) AS reason,
    (count(*) OVER ())::int AS total
  FROM ${l.target} t
  ORDER BY t.id
  LIMIT $1`;

export const countAccountKeys = ({ legacy: l }: MappedSchema): string => `SELECT count(*) AS keys FROM ${l.target}`;

/** After a rollback: everything goes. What the check of dependents overlooked makes the DROP TABLE fail. */
export const removeAll = (schema: MappedSchema, { target }: { target: boolean }): string =>
  [
    dropTriggers,
    dropLegacyIndexes(schema),
    'DROP SCHEMA keylift CASCADE;',
    // The view and the functions of the schema depend on the table.
    ...(target ? [`DROP TABLE ${schema.legacy.target};`] : []),
  ].join('\n');

/**
 * After a purge: the account keys are the platform's only ones, so their table stays with its rows, indexes and
 * constraints. A trigger of keylift draws ids for it; a default takes its place.
 */
export const removeAroundAccountKeys = (schema: MappedSchema): string =>
  [
    dropTriggers,
    ...(drawsIds(schema.types) ? [schema.types.idIsInteger ? drawFromSequence(schema) : drawByDefault(schema)] : []),
    dropLegacyIndexes(schema),
    'DROP SCHEMA keylift CASCADE;',
  ].join('\n');

/** Triggers of any table that run a function of schema keylift; a partition's follow those of its table. */
const dropTriggers = sql`
  DO $do$
  DECLARE
    found record;
  BEGIN
    FOR found IN
      SELECT t.tgname, t.tgrelid::regclass AS name
      FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
      WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
    LOOP
      EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.name);
    END LOOP;
  END
  $do$;`;

const dropLegacyIndexes = (schema: MappedSchema): string =>
  legacyTokenIndexes(schema)
    .map((index) => `DROP INDEX IF EXISTS ${index.schema}.${index.name};`)
    .join('\n');

const drawByDefault = ({ legacy: l, types }: MappedSchema): string =>
  `ALTER TABLE ${l.target} ALTER COLUMN id SET DEFAULT ${types.idDefault!};`;

/** Both tables keep one sequence, so that their ids never collide. Roles that insert account keys may draw from it. */
function drawFromSequence(schema: MappedSchema): string {
  const { legacy: l, types } = schema;
  const ids = `${literal(types.idSequence ?? ownSequence(schema))}::regclass`;
  return sql`
    ${types.idSequence === null ? moveOwnSequence(schema) : ''}
    ALTER TABLE ${l.target} ALTER COLUMN id SET DEFAULT nextval(${ids});
    DO $do$
    DECLARE
      ids CONSTANT regclass := ${ids};
      found record;
    BEGIN
      -- Ids that were given by hand may be ahead of the sequence.
      PERFORM setval(ids, taken.id::bigint)
      FROM (
        SELECT max(every.id) AS id
        FROM (
          SELECT ${l.id()} AS id FROM ${l.keys} k
          UNION ALL
          SELECT t.id FROM ${l.target} t
        ) every
      ) taken
      WHERE taken.id::numeric > coalesce(pg_sequence_last_value(ids), 0)
        AND taken.id::numeric < 9223372036854775807;
      FOR found IN
        SELECT a.grantee
        FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = ${literal(l.target)}::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
        UNION
        SELECT a.grantee
        FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_attribute b ON b.attrelid = c.oid,
          aclexplode(b.attacl) a
        WHERE c.oid = ${literal(l.target)}::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
      LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', ids,
          CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE found.grantee::regrole::text END);
      END LOOP;
    END
    $do$;`;
}

const moveOwnSequence = (schema: MappedSchema): string => sql`
  ALTER SEQUENCE keylift.key_ids SET SCHEMA ${schemaOfTarget(schema)};
  ALTER SEQUENCE ${schemaOfTarget(schema)}.key_ids RENAME TO ${sequenceName(schema)};`;

const ownSequence = (schema: MappedSchema): string => `${schemaOfTarget(schema)}.${sequenceName(schema)}`;

const schemaOfTarget = ({ settings }: MappedSchema): string =>
  quoteIdentifier(parseTableName(settings.target.table).schema ?? 'public');

const sequenceName = ({ settings }: MappedSchema): string =>
  derivedName(parseTableName(settings.target.table).name, 'id_seq');
