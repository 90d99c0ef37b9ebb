import type { ReadSession } from '../../database/session.js';

export interface Publication {
  name: string;
  /** FOR ALL TABLES: every table that is made is published. */
  allTables: boolean;
  /** FOR TABLES IN SCHEMA of the new table, from PostgreSQL 15 on. */
  targetSchema: boolean;
  publishes: ('INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE')[];
  /** Oids of the mapped tables and partitions that it publishes. */
  tables: string[];
}

/** A subscription whose apply worker writes to a mapped table. */
export interface Subscription {
  name: string;
  enabled: boolean;
  table: string;
}

/** Standbys that a commit waits for. */
export interface Standbys {
  /** `synchronous_standby_names`; empty: a commit waits for none. */
  names: string;
  /** What the session waits for: `synchronous_commit`. */
  commit: string;
  connected: number;
  /** False: the role that asks may not see which of them are synchronous. */
  visible: boolean;
}

/** `pg_publication_namespace` exists from PostgreSQL 15 on. */
const SCHEMA_OF_15 = `EXISTS (
      SELECT FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid
      WHERE s.pnpubid = p.oid AND n.nspname = $2)`;

const publications = (inSchema: string): string => `
  /* reading the publications */
  SELECT pg_catalog.quote_ident(p.pubname) AS name, p.puballtables AS "allTables", ${inSchema} AS "targetSchema",
    pg_catalog.array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'INSERT' END, CASE WHEN p.pubupdate THEN 'UPDATE' END,
      CASE WHEN p.pubdelete THEN 'DELETE' END, CASE WHEN p.pubtruncate THEN 'TRUNCATE' END], NULL) AS publishes,
    ARRAY(SELECT c.oid::text FROM pg_catalog.pg_publication_tables pt
      JOIN pg_catalog.pg_namespace n ON n.nspname = pt.schemaname
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
      WHERE pt.pubname = p.pubname AND c.oid = ANY ($1::oid[]) ORDER BY pg_catalog.array_position($1::oid[], c.oid)) AS tables
  FROM pg_catalog.pg_publication p, (SELECT $2::text) AS given (schema)
  ORDER BY p.pubname`;

const SUBSCRIPTIONS = `
  /* reading the subscriptions that feed a mapped table */
  SELECT pg_catalog.quote_ident(s.subname) AS name, s.subenabled AS enabled, r.srrelid::text AS table
  FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid
  WHERE r.srrelid = ANY ($1::oid[])
  ORDER BY pg_catalog.array_position($1::oid[], r.srrelid), s.subname`;

/** `reset_val` is what the session began with, whatever its transaction has set since. */
const STANDBYS = `
  /* reading the synchronous standbys */
  SELECT (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_standby_names') AS names,
    (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit') AS commit,
    (SELECT count(*)::int FROM pg_catalog.pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS connected,
    NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication WHERE state IS NULL) AS visible`;

/** @param oids of the mapped tables and their partitions; `schema` is that of the new table */
export async function readPublications(
  session: ReadSession,
  oids: readonly string[],
  { schema, version }: { schema: string; version: number },
): Promise<Publication[]> {
  return (await session.query<Publication>(publications(version >= 150_000 ? SCHEMA_OF_15 : 'false'), [oids, schema]))
    .rows;
}

/** @param oids of the mapped tables and their partitions */
export const readSubscriptions = async (session: ReadSession, oids: readonly string[]): Promise<Subscription[]> =>
  (await session.query<Subscription>(SUBSCRIPTIONS, [oids])).rows;

export const readStandbys = (session: ReadSession): Promise<Standbys> => session.one<Standbys>(STANDBYS);
