import type { ReadSession } from '../database/session.js';
import { ARCHIVE, hasArchive, withArchive } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';
import { readState, requireSettings, type LedgerState } from '../ledger/migration.js';

/** What there is to ask: before a migration, and for a role that may only read, less than later. */
export interface Scene {
  /** Its keys are the legacy table, and the archive where there is one. */
  schema: MappedSchema;
  /** Null where there is no ledger, or none this role may read. */
  ledger: LedgerState | null;
  holds: HoldsSource;
  /** Is keylift's new table there? */
  target: boolean;
  archive: boolean;
  /** Is `keylift.authorize` there, and ours to call? */
  authorize: boolean;
}

/** Looks what exists. @throws `settings_changed` when the ledger is another configuration's. */
export async function lookAround(session: ReadSession, schema: MappedSchema): Promise<Scene> {
  const ledger = (await mayReadLedger(session)) ? await readState(session) : null;
  if (ledger === null)
    return { schema, ledger, holds: nobodyHeld(schema), target: false, archive: false, authorize: false };
  requireSettings(ledger, schema.settings);
  const { target, authorize } = await session.one<{ target: boolean; authorize: boolean }>(
    `SELECT coalesce(has_table_privilege(to_regclass($1), 'SELECT'), false) AS target,
       coalesce(has_function_privilege(to_regproc('keylift.authorize')::oid, 'EXECUTE'), false) AS authorize`,
    [schema.legacy.target],
  );
  const archive = await hasArchive(session);
  return {
    schema: archive ? await withArchive(session, schema) : schema,
    ledger,
    holds: { from: 'ledger' },
    target,
    archive,
    authorize,
  };
}

/** Name of the archive, for a statement that asks where a row stands. */
export const archiveOf = ({ archive }: Scene): string | null => (archive ? ARCHIVE : null);

/** A planner's role sees no ledger; asking for a table in a schema without USAGE would end the transaction. */
async function mayReadLedger(session: ReadSession): Promise<boolean> {
  const { usable } = await session.one<{ usable: boolean }>(
    `SELECT coalesce(has_schema_privilege(to_regnamespace('keylift'), 'USAGE'), false) AS usable`,
  );
  if (!usable) return false;
  // The ledger's last table: half a ledger is none.
  const { readable } = await session.one<{ readable: boolean }>(
    `SELECT coalesce(has_table_privilege(to_regclass('keylift.events'), 'SELECT'), false) AS readable`,
  );
  return readable;
}

const nobodyHeld = ({ types }: MappedSchema): HoldsSource => ({
  from: 'parameters',
  keyIds: `'{}'::${types.id}[]`,
  accountIds: `'{}'::${types.account}[]`,
});
