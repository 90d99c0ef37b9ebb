import { ALL_STEPS } from '../../../migrations/index.js';
import type { ReadSession } from '../../database/session.js';
import { commaList, literal, sql } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** Relations of schema keylift that keylift creates: tables, views and sequences. */
const OWN_RELATIONS = [
  'migration',
  'runs',
  'control',
  'batches',
  'outcomes',
  'listed_keys',
  'change_log',
  'proof_duplicates',
  'holds',
  'switch_rule',
  'switched_accounts',
  'overlaps',
  'left_keys',
  'proofs',
  'events',
  'installed_functions',
  'writer_secret',
  'archived_keys',
  'late_keys',
  'per_api_keys',
  'key_ids',
  'knex_migrations',
  'knex_migrations_lock',
];

/** Functions that a step creates as a plain statement, not as an `InstalledFunction`. */
const PLAIN_FUNCTIONS = ['mirror_number', 'revoke_from_others'];

/**
 * What depends on schema keylift and, where `target` is given, on the table of account keys, and was not created by
 * keylift: one description each.
 */
export async function readDependents(
  session: ReadSession,
  schema: MappedSchema,
  { target }: { target: string | null },
): Promise<string[]> {
  const { rows } = await session.query<{ description: string }>(findDependents(schema, { target }));
  return rows.map(({ description }) => description);
}

/** PostgreSQL records the dependencies; a function with a text body is found by its text. */
export const findDependents = (schema: MappedSchema, { target }: { target: string | null }): string => sql`
  /* uninstall: looking for objects that keylift did not create */
  ${[
    recordedDependents(target),
    attachedToTarget(target),
    mentioningFunctions,
    foreignRelations,
    foreignFunctions(schema),
  ].join('\nUNION\n')}
  ORDER BY 1`;

const targetOid = (target: string | null): string =>
  target === null ? 'NULL::oid' : `to_regclass(${literal(target)})::oid`;

const OF_KEYLIFT = `to_regnamespace('keylift')`;

/** Views, foreign keys, defaults, policies, triggers and functions with a parsed body. */
const recordedDependents = (target: string | null): string => sql`
  SELECT pg_describe_object(d.classid, d.objid, 0) AS description
  FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint n ON d.classid = 'pg_constraint'::regclass AND n.oid = d.objid
    LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(
      r.ev_class, n.conrelid, f.adrelid, p.polrelid, CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid END)
    LEFT JOIN pg_catalog.pg_proc u ON d.classid = 'pg_proc'::regclass AND u.oid = d.objid
    LEFT JOIN pg_catalog.pg_type y ON d.classid = 'pg_type'::regclass AND y.oid = d.objid
  WHERE d.deptype = 'n'
    AND (
      d.refclassid = 'pg_class'::regclass
        AND d.refobjid IN (
          SELECT o.oid FROM pg_catalog.pg_class o
          WHERE o.relnamespace = ${OF_KEYLIFT} OR o.oid = ${targetOid(target)})
      OR d.refclassid = 'pg_proc'::regclass
        AND d.refobjid IN (SELECT o.oid FROM pg_catalog.pg_proc o WHERE o.pronamespace = ${OF_KEYLIFT})
      OR d.refclassid = 'pg_type'::regclass
        AND d.refobjid IN (
          SELECT o.oid FROM pg_catalog.pg_type o
            LEFT JOIN pg_catalog.pg_type e ON e.oid = o.typelem
          WHERE o.typnamespace = ${OF_KEYLIFT}
            OR ${targetOid(target)} IN (o.typrelid, e.typrelid)))
    -- keylift's own: in its schema, of its table, or one of its triggers.
    AND c.relnamespace IS DISTINCT FROM ${OF_KEYLIFT}::oid
    AND (c.oid IS NULL OR c.oid IS DISTINCT FROM ${targetOid(target)})
    AND u.pronamespace IS DISTINCT FROM ${OF_KEYLIFT}::oid
    AND y.typnamespace IS DISTINCT FROM ${OF_KEYLIFT}::oid
    AND (t.oid IS NULL OR t.tgname NOT LIKE 'keylift\\_%')
    AND d.classid <> 'pg_extension'::regclass`;

/** Triggers of others on the new table, and publications that name it, would go with the table without an error. */
const attachedToTarget = (target: string | null): string => sql`
  SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0)
  FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = ${targetOid(target)} AND NOT t.tgisinternal
    AND t.tgname NOT LIKE 'keylift\\_%'
  UNION
  SELECT pg_describe_object('pg_publication_rel'::regclass, r.oid, 0)
  FROM pg_catalog.pg_publication_rel r
  WHERE r.prrelid = ${targetOid(target)}`;

/** PostgreSQL does not record what the text of a function names. */
const mentioningFunctions = sql`
  SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) || ', whose text names keylift'
  FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('keylift', 'pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_temp\\_%'
    AND p.prosrc ~* '\\mkeylift"?\\s*\\.'`;

/** Relations of others in schema keylift. */
const foreignRelations = sql`
  SELECT pg_describe_object('pg_class'::regclass, c.oid, 0)
  FROM pg_catalog.pg_class c
  WHERE c.relnamespace = ${OF_KEYLIFT} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND c.relname NOT IN (
      ${commaList(OWN_RELATIONS.map(literal))})
    AND NOT EXISTS (
      -- The sequence of an identity or serial column goes with its table.
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
        AND d.refclassid = 'pg_class'::regclass)`;

/** Functions of others in schema keylift. */
const foreignFunctions = (schema: MappedSchema): string => sql`
  SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0)
  FROM pg_catalog.pg_proc p
  WHERE p.pronamespace = ${OF_KEYLIFT}
    AND p.proname NOT IN (
      ${commaList(ownFunctions(schema).map(literal))})`;

const ownFunctions = (schema: MappedSchema): string[] => {
  const installed = ALL_STEPS.flatMap(({ statements }) => [...statements.up(schema), ...statements.down(schema)]);
  const names = installed.flatMap((statement) => ('name' in statement ? [statement.name as string] : []));
  return [...new Set([...PLAIN_FUNCTIONS, ...names])].sort();
};
