import type { SettingName } from '../catalog/server.js';
import { fine, gate, nameOf, warning, type Finding, type Judge, type Phase } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';

/** Encodings that lack characters, or that do not say what bytes mean. */
export const judgeEncoding: Judge = ({ server: { encoding } }) => {
  if (encoding === 'UTF8') return [];
  const parts = { kind: 'encoding' as const, object: 'the database', fact: `encoding ${encoding}` };
  return [
    encoding === 'SQL_ASCII'
      ? warning('compare names in psql where keylift shows them with replacement characters', {
          ...parts,
          meets:
            'keylift copies names and tokens byte by byte, and shows those that are not UTF-8 with replacement characters',
          phases: ['backfill', 'verify'],
        })
      : fine({
          ...parts,
          meets: 'the statements and functions of keylift are ASCII, and values are copied inside the database',
          phases: ['expand', 'backfill'],
        }),
  ];
};

const EVERY_PHASE: readonly Phase[] = ['expand', 'backfill', 'harden', 'verify', 'switch', 'finalize', 'rollback'];
const OFF = new Set(['0', 'off', 'none', 'origin', 'read committed', '']);

/** Settings that keylift overrides for its own transactions, or that do not reach what it does. */
const HARMLESS: Partial<Record<SettingName, string>> = {
  transaction_timeout: 'keylift lifts it for its own transactions',
  statement_timeout: 'keylift lifts it for its own transactions',
  lock_timeout: 'keylift sets its own',
  default_transaction_read_only: 'keylift begins each transaction READ WRITE or READ ONLY',
  default_transaction_isolation: 'keylift names the isolation of each transaction',
  'plpgsql.extra_errors': 'the functions of keylift pass these checks',
  'plpgsql.extra_warnings': 'the functions of keylift pass these checks',
};

interface Given {
  name: SettingName;
  value: string;
  /** Null: the session of the role that asks. */
  role: string | null;
  writesKeys: boolean;
}

/** Settings of this session, and those that the database and roles give to others. */
export const judgeSettings: Judge = ({ sessionSettings, roleSettings, server }) => {
  const own = Object.entries(sessionSettings).map(([name, value]): Given => ({
    name: name as SettingName,
    value,
    role: server.role,
    writesKeys: true,
  }));
  const others = roleSettings.filter(({ role }) => role !== null && role !== server.role);
  return [...own, ...others].flatMap(judgeSetting);
};

function judgeSetting({ name, value, role, writesKeys }: Given): Finding[] {
  if (OFF.has(value)) return [];
  const parts = { kind: 'setting' as const, object: `${name} of ${role ?? 'the database'}`, fact: value };
  const harmless = HARMLESS[name];
  if (harmless !== undefined) return [fine({ ...parts, meets: harmless, phases: EVERY_PHASE })];
  if (name !== 'session_replication_role') return [];
  const meets = {
    ...parts,
    meets:
      'ordinary triggers do not fire in such a session: the mirror misses what it writes, and foreign keys do not hold',
    phases: ['expand', 'mirror', 'finalize', 'rollback'] as const,
  };
  const wayOut = `ALTER ROLE ${role ?? '...'} RESET session_replication_role; its sessions must connect again`;
  return [writesKeys ? gate('replica_sessions', wayOut, meets) : warning(wayOut, meets)];
}

/** What a run needs at least: its lease, its steps, and two batches; more is better. */
const CONNECTIONS_NEEDED = 4;
const CONNECTIONS_WANTED = 6;

/** Connections that are free for the role that asks. */
export const judgeConnections: Judge = ({ connections: { free } }) => {
  const limits = [
    ['max_connections', free.server, 'raise max_connections, or end sessions'],
    ['the connection limit of the database', free.database, 'ALTER DATABASE ... CONNECTION LIMIT'],
    ['the connection limit of the role', free.role, 'ALTER ROLE ... CONNECTION LIMIT'],
  ] as const;
  return limits.flatMap(([object, left, wayOut]) => {
    if (left === null || left >= CONNECTIONS_WANTED) return [];
    const parts = {
      kind: 'connections' as const,
      object,
      fact: `${String(Math.max(0, left))} more connections are free`,
      meets: `a run uses --concurrency connections and up to four more`,
      phases: ['expand', 'backfill', 'harden', 'verify', 'finalize', 'rollback'] as const,
    };
    return [
      left < CONNECTIONS_NEEDED
        ? gate('connections', `make room for ${String(CONNECTIONS_WANTED)}: ${wayOut}`, parts)
        : warning(`make room for ${String(CONNECTIONS_WANTED)}, or use --concurrency 1: ${wayOut}`, parts),
    ];
  });
};

/** A prepared transaction that is older than this has been forgotten. In seconds. */
const FORGOTTEN_SECONDS = 60;

/** Prepared transactions hold their locks until an operator ends them, also over a restart. */
export const judgePrepared: Judge = (around) =>
  around.prepared.map(({ gid, owner, seconds, tables }) => judgeOnePrepared({ gid, owner, seconds, tables }, around));

function judgeOnePrepared(
  { gid, owner, seconds, tables }: FrozenSurroundings['prepared'][number],
  around: FrozenSurroundings,
): Finding {
  const names = tables.map((oid) => nameOf(around, oid));
  const parts = {
    kind: 'prepared_transaction' as const,
    object: `prepared transaction ${gid}`,
    fact: `of ${owner}, for ${String(seconds)} s${names.length === 0 ? '' : `, has locked ${names.join(', ')}`}`,
    meets: 'the DDL of keylift waits for its locks, and an index build for its end',
    phases: ['expand', 'harden', 'finalize', 'rollback'] as const,
  };
  const wayOut = `COMMIT PREPARED '${gid.replaceAll("'", "''")}', or ROLLBACK PREPARED, as ${owner} or as a superuser`;
  return seconds >= FORGOTTEN_SECONDS
    ? gate('prepared_transactions', wayOut, { ...parts, phases: ['expand'] })
    : warning(wayOut, parts);
}
