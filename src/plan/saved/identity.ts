import type { ReadSession } from '../../database/session.js';

/**
 * Which database it is, by whatever address or pooler it is reached, its replicas included. A copy that was restored from
 * a dump is another database.
 */
export interface DatabaseIdentity {
  name: string;
  oid: string;
  /** PostgreSQL's identifier of the cluster; null where the role may not read it. */
  cluster: string | null;
}

/** Reads the identity of the database that the session works on. */
export async function readIdentity(session: ReadSession): Promise<DatabaseIdentity> {
  const { name, oid, readable } = await session.one<{ name: string; oid: string; readable: boolean }>(
    `SELECT datname::text AS name, oid::text AS oid,
       has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS readable
     FROM pg_catalog.pg_database WHERE datname = current_database()`,
  );
  if (!readable) return { name, oid, cluster: null };
  const { cluster } = await session.one<{ cluster: string }>(
    'SELECT system_identifier::text AS cluster FROM pg_catalog.pg_control_system()',
  );
  return { name, oid, cluster };
}

/** The same database? A cluster that one of the two roles could not read is not compared. */
export const sameDatabase = (a: DatabaseIdentity, b: DatabaseIdentity): boolean =>
  a.name === b.name && a.oid === b.oid && (a.cluster === null || b.cluster === null || a.cluster === b.cluster);
