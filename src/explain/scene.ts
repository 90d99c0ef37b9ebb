import type { ReadSession } from '../database/session.js';
import { ARCHIVE, withArchive } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';
import { readInstalled } from '../ledger/installed.js';
import { requireSettings, type LedgerState } from '../ledger/migration.js';

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

/** Finds out what this role can read. @throws `settings_changed` when the ledger is another configuration's. */
export async function lookAround(session: ReadSession, schema: MappedSchema): Promise<Scene> {
  const installed = await readInstalled(session, schema.settings, { visibleOnly: true });
  const { state, target, archive, authorize } = installed;
  if (state === null)
    return { schema, ledger: null, holds: nobodyHeld(schema), target: false, archive: false, authorize: false };
  requireSettings(state, schema.settings);
  return {
    schema: await withArchive(session, schema, installed),
    ledger: state,
    holds: { from: 'ledger' },
    target,
    archive,
    authorize,
  };
}

/** Name of the archive, for a statement that asks where a row stands. */
export const archiveOf = ({ archive }: Scene): string | null => (archive ? ARCHIVE : null);

const nobodyHeld = ({ types }: MappedSchema): HoldsSource => ({
  from: 'parameters',
  keyIds: `'{}'::${types.id}[]`,
  accountIds: `'{}'::${types.account}[]`,
});
