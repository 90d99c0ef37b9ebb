import type { ReadSession } from '../../database/session.js';

export type Action = 'NO ACTION' | 'RESTRICT' | 'CASCADE' | 'SET NULL' | 'SET DEFAULT';

/** One end of a foreign key. */
export interface KeyEnd {
  oid: string;
  /** With its schema, quoted where SQL needs it. */
  table: string;
  /** Unquoted names, in the order of the constraint. */
  columns: string[];
}

/** A foreign key from or to a mapped table, whatever its shape. */
export interface ForeignKey {
  /** Quoted where SQL needs it. */
  name: string;
  from: KeyEnd;
  to: KeyEnd;
  onDelete: Action;
  onUpdate: Action;
  match: 'SIMPLE' | 'FULL' | 'PARTIAL';
  deferrable: boolean;
  deferred: boolean;
  /** False: NOT VALID, so that older rows may break it. */
  validated: boolean;
  /** False: the triggers behind it are disabled, or it is NOT ENFORCED. */
  enforced: boolean;
  /** Row-level security hides rows of the referencing table from the role that asks. */
  hidden: boolean;
  /** The role that asks may read the referencing columns. */
  readable: boolean;
}

const action = (column: string): string =>
  `CASE ${column} WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
      ELSE 'SET DEFAULT' END`;

const end = (table: string, columns: string): string => `
    (SELECT pg_catalog.json_build_object('oid', t.oid::text, 'table', pg_catalog.format('%I.%I', n.nspname, t.relname),
        'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY given.at)
          FROM pg_catalog.unnest(${columns}) WITH ORDINALITY AS given (attnum, at)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = given.attnum))
      FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = ${table})`;

/** `conenforced` exists from PostgreSQL 18 on, so it is read from the row as a whole. */
const FOREIGN_KEYS = `
  /* reading the foreign keys from and to the mapped tables */
  SELECT pg_catalog.quote_ident(c.conname) AS name, ${end('c.conrelid', 'c.conkey')} AS "from", ${end('c.confrelid', 'c.confkey')} AS "to",
    ${action('c.confdeltype')} AS "onDelete", ${action('c.confupdtype')} AS "onUpdate",
    CASE c.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'SIMPLE' END AS match,
    c.condeferrable AS deferrable, c.condeferred AS deferred, c.convalidated AS validated,
    coalesce((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true) AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgisinternal AND t.tgenabled IN ('D', 'R')) AS enforced,
    pg_catalog.row_security_active(c.conrelid) AS hidden,
    (SELECT pg_catalog.bool_and(pg_catalog.has_column_privilege(c.conrelid, given.attnum, 'SELECT'))
      FROM pg_catalog.unnest(c.conkey) AS given (attnum)) AS readable
  FROM pg_catalog.pg_constraint c
  WHERE c.contype = 'f' AND c.conparentid = 0 AND (c.conrelid = ANY ($1::oid[]) OR c.confrelid = ANY ($1::oid[]))
  ORDER BY c.conrelid::regclass::text, c.conname`;

/** @param oids of the mapped tables and their partitions */
export const readForeignKeys = async (session: ReadSession, oids: readonly string[]): Promise<ForeignKey[]> =>
  (await session.query<ForeignKey>(FOREIGN_KEYS, [oids])).rows;
