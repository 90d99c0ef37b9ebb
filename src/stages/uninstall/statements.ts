import { parseTableName, quoteIdentifier } from '../../config/identifiers.js';
import { literal, sql } from '../../database/sql.js';
import { drawsIds } from '../../mapping/account-keys.js';
import { derivedName } from '../../mapping/copy.js';
import { legacyTokenIndexes } from '../../mapping/indexes.js';
import type { MappedSchema } from '../../mapping/inspect.js';

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

/** After a rollback: everything goes. What the check of dependents overlooked makes the DROP TABLE fail. */
export const removeAll = (schema: MappedSchema, { target }: { target: boolean }): string =>
  [
    dropTriggers,
    dropLegacyIndexes(schema),
    'DROP SCHEMA keylift CASCADE;',
    // The view and the functions of the schema depend on the table.
    target ? `DROP TABLE ${schema.legacy.target};` : '',
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

const drawByDefault = ({ legacy: l, types }: MappedSchema): string =>
  `ALTER TABLE ${l.target} ALTER COLUMN id SET DEFAULT ${types.idDefault!};`;

/** Both tables keep one sequence, so that their ids never collide. Roles that insert account keys may draw from it. */
function drawFromSequence(schema: MappedSchema): string {
  const { legacy: l, settings } = schema;
  const sequence = schema.types.idSequence ?? ownSequence(schema);
  const { schema: place } = parseTableName(settings.target.table);
  const own = quoteIdentifier(place ?? 'public');
  const name = ownName(schema);
  return sql`
    ${schema.types.idSequence === null ? `ALTER SEQUENCE keylift.key_ids SET SCHEMA ${own};` : ''}
    ${schema.types.idSequence === null ? `ALTER SEQUENCE ${own}.key_ids RENAME TO ${name};` : ''}
    ALTER TABLE ${l.target} ALTER COLUMN id SET DEFAULT nextval(${literal(sequence)}::regclass);
    DO $do$
    DECLARE
      ids CONSTANT regclass := ${literal(sequence)}::regclass;
      found record;
    BEGIN
      -- Ids that were given by hand may be ahead of the sequence.
      PERFORM setval(ids, taken.id::bigint)
      FROM (
        SELECT max(every.id) AS id
        FROM (SELECT ${l.id()} AS id FROM ${l.keys} k UNION ALL SELECT t.id FROM ${l.target} t) every
      ) taken
      WHERE taken.id::numeric > coalesce(pg_sequence_last_value(ids), 0) AND taken.id::numeric < 9223372036854775807;
      FOR found IN
        SELECT DISTINCT a.grantee
        FROM pg_catalog.pg_class c
          LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = c.oid AND b.attacl IS NOT NULL
          CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, '{}') || coalesce(b.attacl, '{}')) a
        WHERE c.oid = ${literal(l.target)}::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
      LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', ids,
          CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE found.grantee::regrole::text END);
      END LOOP;
    END
    $do$;`;
}

const ownName = ({ settings }: MappedSchema): string =>
  derivedName(parseTableName(settings.target.table).name, 'id_seq');

const ownSequence = (schema: MappedSchema): string =>
  `${quoteIdentifier(parseTableName(schema.settings.target.table).schema ?? 'public')}.${ownName(schema)}`;
