import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { readState, type LedgerState } from './migration.js';

/** What keylift has installed in a database. It is read once; then every decision is made from this value. */
export interface Installed {
  /** What the ledger says. Null: there is no ledger, or it has no migration yet. */
  readonly state: LedgerState | null;
  /** The control tables. */
  readonly ledger: boolean;
  /** The table of holds. */
  readonly holds: boolean;
  /** The table of account keys. */
  readonly target: boolean;
  /** Another relation that has the name of the table of account keys. */
  readonly targetNameTaken: boolean;
  readonly archive: boolean;
  /** `keylift.authorize`. */
  readonly authorize: boolean;
  /** Names of the valid indexes of the account keys and of the archive. */
  readonly indexes: readonly string[];
  /** Names of keylift's triggers on the legacy table. */
  readonly triggers: readonly string[];
}

/** Nothing is installed. */
export const NOTHING_INSTALLED: Installed = Object.freeze({
  state: null,
  ledger: false,
  holds: false,
  target: false,
  targetNameTaken: false,
  archive: false,
  authorize: false,
  indexes: [],
  triggers: [],
});

/** $1 and $2 name the table of account keys, $3 and $4 the legacy table. Asks the catalog alone, which any role may read. */
const LOOK = sql`
  /* looking what is installed */
  WITH object (name, schema, relation) AS (
    VALUES ('ledger', 'keylift', 'events'), ('holds', 'keylift', 'holds'), ('archive', 'keylift', 'archived_keys'),
      ('target', $1, $2)
  ), found AS (
    SELECT o.name, c.oid, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
    FROM object o
      JOIN pg_catalog.pg_namespace n ON n.nspname = o.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = o.relation
  )
  SELECT (SELECT coalesce(json_object_agg(f.name, f.readable), '{}') FROM found f) AS relations,
    EXISTS (
      SELECT FROM found f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid
      WHERE f.name = 'target' AND a.attname = 'origin_api_id'
    ) AS has_origin,
    (
      SELECT bool_or(has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'))
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'keylift' AND p.proname = 'authorize'
    ) AS authorize,
    ARRAY(
      SELECT c.relname::text
      FROM found f
        JOIN pg_catalog.pg_index i ON i.indrelid = f.oid AND i.indisvalid
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      WHERE f.name IN ('target', 'archive') ORDER BY 1
    ) AS indexes,
    ARRAY(
      SELECT t.tgname::text
      FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $3 AND c.relname = $4 AND NOT t.tgisinternal AND starts_with(t.tgname::text, 'keylift_')
      ORDER BY 1
    ) AS triggers`;

interface Look {
  /** Those that exist, and whether this role may read them. */
  relations: Record<string, boolean>;
  has_origin: boolean;
  /** Whether this role may call it; null: it does not exist. */
  authorize: boolean | null;
  indexes: string[];
  triggers: string[];
}

/**
 * Looks what is installed, and reads the ledger's state. With `visibleOnly`, an object that this role may not use counts
 * as absent; without, the server refuses a role that may not read the ledger.
 */
export async function readInstalled(
  session: ReadSession,
  settings: Settings,
  { visibleOnly = false }: { visibleOnly?: boolean } = {},
): Promise<Installed> {
  const [target, keys] = [parseTableName(settings.target.table), parseTableName(settings.legacy.keys.table)];
  const look = await session.one<Look>(LOOK, [
    target.schema ?? 'public',
    target.name,
    keys.schema ?? 'public',
    keys.name,
  ]);
  const has = (name: string): boolean => (visibleOnly ? look.relations[name] === true : name in look.relations);
  const ledger = has('ledger');
  return Object.freeze({
    state: ledger ? await readState(session) : null,
    ledger,
    holds: has('holds'),
    target: has('target') && look.has_origin,
    targetNameTaken: 'target' in look.relations && !look.has_origin,
    archive: has('archive'),
    authorize: visibleOnly ? look.authorize === true : look.authorize !== null,
    indexes: look.indexes,
    triggers: look.triggers,
  });
}
