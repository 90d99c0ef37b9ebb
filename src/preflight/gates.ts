import { statfs } from 'node:fs/promises';
import { parseTableName } from '../config/identifiers.js';
import { refuseIf, type Gate, type NamesWorld, type Refusal } from './gate.js';
import { scope, surroundings } from './surroundings.js';
import { accountType, mappedTables } from './tables.js';

/** A transaction older than this would keep CREATE TRIGGER, and with it keylift, waiting. In seconds. */
export const LONG_TRANSACTION_SECONDS = 300;
const OLDEST_VERSION = 140_000;

const serverVersion: Gate = async ({ session }) => {
  const { version, name, standby } = await session.one<{ version: number; name: string; standby: boolean }>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name, pg_is_in_recovery() AS standby`,
  );
  return [
    ...refuseIf(version < OLDEST_VERSION, {
      gate: 'version',
      problem: `the server is PostgreSQL ${name}`,
      wayOut: 'keylift needs PostgreSQL 14 or newer',
    }),
    ...refuseIf(standby, {
      gate: 'standby',
      problem: 'this server is a standby and cannot be written',
      wayOut: 'connect to the primary',
    }),
  ];
};

/** What the operator's role must be allowed. */
export const rights = async ({ session, schema: { legacy: l, settings } }: NamesWorld): Promise<Refusal[]> => {
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
  return Object.entries(row)
    .filter(([, has]) => !has)
    .map(([right]) => ({
      gate: 'rights',
      problem: `this role lacks ${right}`,
      wayOut: 'grant it (runbook.md#roles) or run as the role that owns the tables',
    }));
};

/** What an earlier migration, or somebody else, left in the way. */
export const leftovers: Gate = async ({ session, schema: { legacy: l }, installed }) => {
  const { state, target, targetNameTaken, triggers } = installed;
  const { rows: indexes } = await session.query<{ name: string }>(
    `SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i WHERE i.indrelid = $1::regclass AND NOT i.indisvalid`,
    [l.keys],
  );
  return [
    ...triggers.map((name) => ({
      gate: 'triggers',
      problem: `a trigger ${name} is already on ${l.keys}`,
      wayOut: `look where it comes from; DROP TRIGGER ${name} ON ${l.keys}`,
    })),
    ...refuseIf(state === null && (target || targetNameTaken), {
      gate: 'target',
      problem: `${l.target} is already there and is not keylift's`,
      wayOut: 'name another target table in the configuration, or move that one away',
    }),
    ...indexes.map(({ name }) => ({
      gate: 'invalid_indexes',
      problem: `the index ${name} is invalid`,
      wayOut: `REINDEX INDEX CONCURRENTLY ${name}, or drop it`,
    })),
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
    gate: 'long_transactions',
    problem: `process ${String(pid)} (${name}) has been in a transaction for ${String(seconds)} s`,
    wayOut: 'wait for it, or end it: keylift would wait for it, and vacuum waits already',
  }));
};

/** Bytes the new table, its indexes and the WAL may take, of those the legacy rows take now. */
const DISK_FACTOR = 2;

const disk: Gate = async ({ session, schema: { legacy: l }, host }) => {
  if (!['localhost', '127.0.0.1', '::1', ''].includes(host) && !host.startsWith('/')) return [];
  const { bytes, directory } = await session.one<{ bytes: string; directory: string | null }>(
    `SELECT (SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree($1::regclass))::bigint AS bytes,
       CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory', true) END AS directory`,
    [l.keys],
  );
  const free = directory === null ? undefined : await freeBytes(directory);
  const needed = Number(bytes) * DISK_FACTOR;
  const gigabytes = (n: number): string => `${(n / 1e9).toFixed(1)} GB`;
  return refuseIf(free !== undefined && free < needed, {
    gate: 'disk',
    problem: `${gigabytes(free ?? 0)} are free where the server keeps its data; the migration may need ${gigabytes(needed)}`,
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
export const GATES: readonly Gate[] = [
  serverVersion,
  rights,
  mappedTables,
  accountType,
  leftovers,
  longTransactions,
  disk,
  surroundings,
  scope,
];
