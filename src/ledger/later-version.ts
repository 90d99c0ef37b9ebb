import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import { keyliftError } from '../errors/keylift-error.js';

/** What a later version of keylift has left in the ledger. */
export interface LaterVersion {
  /** The latest version whose run the ledger has, if that is later than this one. */
  version: string | null;
  /** DDL steps that this version does not know. */
  steps: string[];
}

/** What this version knows: itself, and the DDL steps that it can run. */
export interface OwnVersion {
  version: string;
  steps: readonly { name: string }[];
}

/** A role without rights on the ledger, such as a planner, does not use it either. */
const readableTables = sql`
  SELECT coalesce(pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')), false) AND count(*) = 2
      AND pg_catalog.has_schema_privilege('keylift', 'USAGE') AS readable
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'keylift' AND c.relname IN ('runs', 'knex_migrations')
  HAVING count(*) > 0`;

/** Finds what a later version has done here; null: nothing. */
export async function laterVersion(session: ReadSession, own: OwnVersion): Promise<LaterVersion | null> {
  const ledger = await session.first<{ readable: boolean }>(readableTables);
  if (ledger?.readable !== true) return null;
  const { versions, steps } = await session.one<{ versions: string[]; steps: string[] }>(sql`
    SELECT ARRAY(SELECT DISTINCT version FROM keylift.runs) AS versions, ARRAY(SELECT name::text FROM keylift.knex_migrations) AS steps`);
  const unknown = steps.filter((name) => !own.steps.some((step) => step.name === name));
  const latest = [...versions].sort(compareVersions).at(-1);
  const later = latest !== undefined && compareVersions(latest, own.version) > 0 ? latest : null;
  return later === null && unknown.length === 0 ? null : { version: later, steps: unknown };
}

/** @throws `ledger_newer` where a later version has worked on this ledger. */
export async function refuseLaterVersion(session: ReadSession, own: OwnVersion): Promise<void> {
  const later = await laterVersion(session, own);
  if (later === null) return;
  throw keyliftError('ledger_newer', {
    message: `keylift ${later.version ?? 'of a later version'} has worked on this ledger, and this is ${own.version}`,
    facts: { steps: later.steps.length === 0 ? undefined : later.steps },
  });
}

const numbersOf = (text: string): number[] => text.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10) || 0);

/** By major, minor and patch; what follows them does not matter. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  const at = [0, 1, 2].find((part) => (left[part] ?? 0) !== (right[part] ?? 0));
  return at === undefined ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
