import { statfs } from 'node:fs/promises';
import type { ReadSession } from '../database/session.js';
import { parseTableName } from '../config/identifiers.js';
import type { MappedSchema } from '../legacy/inspect.js';

/** What a gate found wrong, and the way out. */
export interface Refusal {
  gate: string;
  problem: string;
  wayOut: string;
}

export interface GateWorld {
  session: ReadSession;
  schema: MappedSchema;
  /** Names of the server as this process reaches it, to know whether its disk is ours. */
  host: string;
  /** After a rollback the new table is ours and stays. */
  afterRollback: boolean;
}

export type Gate = (world: GateWorld) => Promise<Refusal[]>;

/** A transaction older than this would keep CREATE TRIGGER, and with it keylift, waiting. In seconds. */
export const LONG_TRANSACTION_SECONDS = 300;
const OLDEST_VERSION = 140_000;

const refuseIf = (wrong: boolean, refusal: Refusal): Refusal[] => (wrong ? [refusal] : []);

const serverVersion: Gate = async ({ session }) => {
  const { version, name, standby } = await session.one<{ version: number; name: string; standby: boolean }>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name, pg_is_in_recovery() AS standby`,
  );
  return [
    ...refuseIf(version < OLDEST_VERSION, { gate: 'version', problem: `the server is PostgreSQL ${name}`, wayOut: 'keylift needs PostgreSQL 14 or newer' }),
    ...refuseIf(standby, { gate: 'standby', problem: 'this server is a standby and cannot be written', wayOut: 'connect to the primary' }),
  ];
};

const rights: Gate = async ({ session, schema: { legacy: l, settings } }) => {
  const target = parseTableName(settings.target.table).schema ?? 'public';
  const row = await session.one<Record<string, boolean>>(
    `SELECT has_database_privilege(current_database(), 'CREATE') OR to_regnamespace('keylift') IS NOT NULL AS "CREATE on the database",
       coalesce(has_schema_privilege($4, 'CREATE'), false) AS "CREATE on the new table's schema",
       has_table_privilege($1, 'SELECT') AS "SELECT on the keys", has_table_privilege($1, 'INSERT') AS "INSERT on the keys",
       has_table_privilege($1, 'UPDATE') AS "UPDATE on the keys", has_table_privilege($1, 'DELETE') AS "DELETE on the keys",
       has_table_privilege($1, 'TRIGGER') AND pg_has_role((SELECT relowner FROM pg_class WHERE oid = $1::regclass), 'USAGE') AS "ownership of the keys table (to create and drop triggers)",
       has_table_privilege($2, 'SELECT') AS "SELECT on the APIs",
       has_table_privilege($3, 'SELECT') AS "SELECT on the accounts", has_table_privilege($3, 'REFERENCES') AS "REFERENCES on the accounts"`,
    [l.keys, l.apis, l.accounts, target],
  );
  return Object.entries(row).filter(([, has]) => !has).map(([right]) => ({
    gate: 'rights', problem: `this role lacks ${right}`, wayOut: 'grant it (runbook.md#roles) or run as the role that owns the tables',
  }));
};

const keyTable: Gate = async ({ session, schema: { legacy: l, settings } }) => {
  const row = await session.one<{ kind: string; unique_id: boolean; api_unique: boolean; account_unique: boolean; rls: boolean }>(
    `SELECT c.relkind AS kind, ${uniqueOn('$1', '$2')} AS unique_id, ${uniqueOn('$3', '$4')} AS api_unique, ${uniqueOn('$5', '$6')} AS account_unique,
       row_security_active($1::regclass) OR row_security_active($3::regclass) OR row_security_active($5::regclass) AS rls
     FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass`,
    [l.keys, settings.legacy.keys.id, l.apis, settings.legacy.apis.id, l.accounts, settings.legacy.accounts.id],
  );
  return [
    ...refuseIf(!['r', 'p'].includes(row.kind), { gate: 'key_table', problem: `${l.keys} is not a table`, wayOut: 'map the table itself: triggers cannot follow a view' }),
    ...refuseIf(!row.unique_id, { gate: 'unique_key', problem: `${l.keys} has no unique index on ${settings.legacy.keys.id} alone`, wayOut: 'add one; without it no key can be told from another' }),
    ...refuseIf(!row.api_unique, { gate: 'unique_key', problem: `${l.apis} has no unique index on ${settings.legacy.apis.id}`, wayOut: 'add one' }),
    ...refuseIf(!row.account_unique, { gate: 'unique_key', problem: `${l.accounts} has no unique index on ${settings.legacy.accounts.id}`, wayOut: 'add one; the foreign key of the new table needs it' }),
    ...refuseIf(row.rls, { gate: 'row_security', problem: 'row-level security hides rows from this role', wayOut: 'run as a role with BYPASSRLS, or as the owner without FORCE' }),
  ];
};

/** SQL: does the table have a valid, whole unique index on just this column? */
const uniqueOn = (table: string, column: string): string => `EXISTS (
      SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = ${table}::regclass AND a.attname = ${column} AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL)`;

const leftovers: Gate = async ({ session, schema: { legacy: l }, afterRollback }) => {
  const { rows: triggers } = await session.query<{ name: string }>(
    `SELECT tgname AS name FROM pg_catalog.pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgname LIKE 'keylift\\_%'`, [l.keys]);
  const { rows: targets } = await session.query(`SELECT WHERE to_regclass($1) IS NOT NULL`, [l.target]);
  const { rows: indexes } = await session.query<{ name: string }>(
    `SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i WHERE i.indrelid = $1::regclass AND NOT i.indisvalid`, [l.keys]);
  return [
    ...triggers.map(({ name }) => ({ gate: 'triggers', problem: `a trigger ${name} is already on ${l.keys}`, wayOut: `look where it comes from; DROP TRIGGER ${name} ON ${l.keys}` })),
    ...(afterRollback ? [] : targets).map(() => ({ gate: 'target', problem: `${l.target} is already there and is not keylift's`, wayOut: 'name another target table in the configuration, or move that one away' })),
    ...indexes.map(({ name }) => ({ gate: 'invalid_indexes', problem: `the index ${name} is invalid`, wayOut: `REINDEX INDEX CONCURRENTLY ${name}, or drop it` })),
  ];
};

const longTransactions: Gate = async ({ session }) => {
  const { rows } = await session.query<{ pid: number; seconds: number; name: string }>(
    `SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds, coalesce(nullif(application_name, ''), usename, '?') AS name
     FROM pg_catalog.pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND xact_start < clock_timestamp() - make_interval(secs => $1) ORDER BY xact_start LIMIT 10`,
    [LONG_TRANSACTION_SECONDS],
  );
  return rows.map(({ pid, seconds, name }) => ({
    gate: 'long_transactions', problem: `process ${String(pid)} (${name}) has been in a transaction for ${String(seconds)} s`,
    wayOut: 'wait for it, or end it: keylift would wait for it, and vacuum waits already',
  }));
};

/** Bytes the new table, its indexes and the WAL may take, of those the legacy rows take now. */
const DISK_FACTOR = 2;

const disk: Gate = async ({ session, schema: { legacy: l }, host }) => {
  if (!['localhost', '127.0.0.1', '::1', ''].includes(host) && !host.startsWith('/')) return [];
  const { bytes, directory } = await session.one<{ bytes: string; directory: string | null }>(
    `SELECT pg_total_relation_size($1::regclass) AS bytes,
       CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory', true) END AS directory`,
    [l.keys],
  );
  const free = directory === null ? undefined : await freeBytes(directory);
  const needed = Number(bytes) * DISK_FACTOR;
  const gigabytes = (n: number): string => `${(n / 1e9).toFixed(1)} GB`;
  return refuseIf(free !== undefined && free < needed, {
    gate: 'disk', problem: `${gigabytes(free ?? 0)} are free where the server keeps its data; the migration may need ${gigabytes(needed)}`,
    wayOut: 'make room: a full disk stops the whole platform',
  });
};

/** Free bytes of a local folder; undefined where this process cannot see it (another machine, another container). */
async function freeBytes(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** All gates, in the order they are told. */
export const GATES: readonly Gate[] = [serverVersion, rights, keyTable, leftovers, longTransactions, disk];
