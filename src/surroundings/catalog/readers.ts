import type { ReadSession } from '../../database/session.js';

/** Something that reads a mapped table: its answers change with the rows. */
export interface Reader {
  kind: 'view' | 'materialized view' | 'function' | 'policy';
  /** With its schema, quoted where SQL needs it; a policy with its table. */
  name: string;
  table: string;
  /** False: the text of a function names the table, and PostgreSQL keeps no dependency for that. */
  certain: boolean;
}

/** Texts of functions are looked through for a table's name; many functions may be found. */
const MOST_READERS = 200;

const READERS = `
  /* reading what reads the mapped tables */
  WITH RECURSIVE used AS (
    SELECT d.refobjid AS root, d.classid, d.objid
    FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ANY ($1::oid[])
      AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_policy'::regclass)
    UNION
    SELECT used.root, d.classid, d.objid
    FROM used JOIN pg_catalog.pg_rewrite r ON used.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = used.objid
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.ev_class
        AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_policy'::regclass)
  ), readers AS (
    SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, n.nspname, c.relname AS name,
      NULL::text AS of_table, used.root, true AS certain
    FROM used JOIN pg_catalog.pg_rewrite r ON used.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = used.objid
      JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm') JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION
    SELECT 'function', n.nspname, f.proname, NULL, used.root, true
    FROM used JOIN pg_catalog.pg_proc f ON used.classid = 'pg_catalog.pg_proc'::regclass AND f.oid = used.objid
      JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    UNION
    SELECT 'policy', n.nspname, p.polname, c.relname, used.root, true
    FROM used JOIN pg_catalog.pg_policy p ON used.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = used.objid
      JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.polrelid <> used.root
    UNION
    SELECT 'function', n.nspname, f.proname, NULL, t.oid, false
    FROM pg_catalog.pg_class t JOIN pg_catalog.pg_proc f ON f.prosqlbody IS NULL AND pg_catalog.strpos(f.prosrc, t.relname) > 0
      JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE t.oid = ANY ($1::oid[]) AND NOT t.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
        WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'e')
  )
  SELECT readers.kind, readers.root::text AS table, readers.certain,
    CASE readers.kind WHEN 'policy' THEN pg_catalog.format('%I on %I.%I', readers.name, readers.nspname, readers.of_table)
      ELSE pg_catalog.format('%I.%I', readers.nspname, readers.name) END AS name
  FROM readers WHERE readers.nspname <> 'keylift'
  ORDER BY pg_catalog.array_position($1::oid[], readers.root), readers.certain DESC, 1, 4
  LIMIT ${MOST_READERS}`;

/** @param oids of the key table, its partitions and the new table */
export const readReaders = async (session: ReadSession, oids: readonly string[]): Promise<Reader[]> =>
  (await session.query<Reader>(READERS, [oids])).rows;
