import type { ReadSession } from '../../database/session.js';

export interface Server {
  /** `server_version_num`. */
  version: number;
  isStandby: boolean;
  /** Of the database. */
  encoding: string;
  /** The role that asks. */
  role: string;
}

/** A setting as the session of the role that asks began with it. */
export type SessionSettings = Readonly<Partial<Record<SettingName, string>>>;

/** A setting that the database, or a role, gives to its sessions. */
export interface RoleSetting {
  /** Null: every role. */
  role: string | null;
  name: SettingName;
  value: string;
  /** The role may write to the key table or to the new table. */
  writesKeys: boolean;
}

/** Settings under which a write of keylift or of the mirror could go wrong. */
export const SETTING_NAMES = [
  'transaction_timeout',
  'statement_timeout',
  'lock_timeout',
  'default_transaction_read_only',
  'default_transaction_isolation',
  'session_replication_role',
  'row_security',
  'search_path',
  'plpgsql.extra_errors',
  'plpgsql.extra_warnings',
] as const;
export type SettingName = (typeof SETTING_NAMES)[number];

/** A prepared transaction (PREPARE TRANSACTION) of this database that has not ended. */
export interface PreparedTransaction {
  gid: string;
  owner: string;
  seconds: number;
  /** Oids of the mapped tables that it has locked. */
  tables: string[];
}

/** Connections that are in use, of those that are allowed. A superuser has no limit but the server's. */
export interface Connections {
  free: { server: number; database: number | null; role: number | null };
}

const SERVER = `
  /* reading what the server is */
  SELECT pg_catalog.current_setting('server_version_num')::int AS version, pg_catalog.pg_is_in_recovery() AS "isStandby",
    pg_catalog.current_setting('server_encoding') AS encoding, current_user AS role`;

/** Settings of an extension that no session has loaded are in no view, so they are read by name. */
const SESSION_SETTINGS = `
  /* reading the settings of this session */
  SELECT given.name, coalesce(s.reset_val, pg_catalog.current_setting(given.name, true)) AS value
  FROM pg_catalog.unnest($1::text[]) AS given (name) LEFT JOIN pg_catalog.pg_settings s ON s.name = given.name
  WHERE coalesce(s.reset_val, pg_catalog.current_setting(given.name, true)) <> ''`;

const ROLE_SETTINGS = `
  /* reading the settings of roles and of the database */
  SELECT r.rolname AS role, pg_catalog.split_part(entry.text, '=', 1) AS name,
    pg_catalog.substr(entry.text, pg_catalog.strpos(entry.text, '=') + 1) AS value,
    coalesce(r.rolsuper OR EXISTS (SELECT FROM pg_catalog.unnest($2::oid[]) AS t (oid)
      WHERE pg_catalog.has_any_column_privilege(r.oid, t.oid, 'INSERT, UPDATE')
        OR pg_catalog.has_table_privilege(r.oid, t.oid, 'DELETE')), true) AS "writesKeys"
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS entry (text)
  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    AND pg_catalog.split_part(entry.text, '=', 1) = ANY ($1::text[])
  ORDER BY r.rolname NULLS FIRST, 2`;

/** Its locks name a virtual transaction: that of its session, or after a restart one made from its id. */
const PREPARED = `
  /* reading the prepared transactions */
  SELECT x.gid, x.owner, pg_catalog.date_part('epoch', clock_timestamp() - x.prepared)::int AS seconds,
    ARRAY(SELECT DISTINCT l.relation::text
      FROM pg_catalog.pg_locks own
        JOIN pg_catalog.pg_locks l ON l.virtualtransaction = own.virtualtransaction AND l.pid IS NULL
      WHERE own.locktype = 'transactionid' AND own.transactionid = x.transaction AND own.granted AND own.pid IS NULL
        AND l.relation = ANY ($1::oid[])) AS tables
  FROM pg_catalog.pg_prepared_xacts x WHERE x.database = current_database() ORDER BY x.prepared, x.gid`;

/** The reserve for roles with `pg_use_reserved_connections` exists from PostgreSQL 16 on. */
const CONNECTIONS = `
  /* counting the connections that are free */
  SELECT pg_catalog.json_build_object(
    'server', pg_catalog.current_setting('max_connections')::int
      - CASE WHEN r.rolsuper THEN 0 ELSE pg_catalog.current_setting('superuser_reserved_connections')::int
          + coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0) END
      - (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid IS NOT NULL),
    'database', CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit
      - (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) END,
    'role', CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit
      - (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid) END) AS free
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
  WHERE d.datname = current_database() AND r.rolname = session_user`;

export const readServer = (session: ReadSession): Promise<Server> => session.one<Server>(SERVER);

export async function readSessionSettings(session: ReadSession): Promise<SessionSettings> {
  const { rows } = await session.query<{ name: SettingName; value: string }>(SESSION_SETTINGS, [SETTING_NAMES]);
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** @param oids of the key table and the new table */
export const readRoleSettings = async (session: ReadSession, oids: readonly string[]): Promise<RoleSetting[]> =>
  (await session.query<RoleSetting>(ROLE_SETTINGS, [SETTING_NAMES, oids])).rows;

/** @param oids of the mapped tables and their partitions */
export const readPrepared = async (session: ReadSession, oids: readonly string[]): Promise<PreparedTransaction[]> =>
  (await session.query<PreparedTransaction>(PREPARED, [oids])).rows;

export const readConnections = (session: ReadSession): Promise<Connections> => session.one<Connections>(CONNECTIONS);
