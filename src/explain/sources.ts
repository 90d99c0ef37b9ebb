import type { ReadSession } from '../database/session.js';
import { ARCHIVE, withArchive } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';
import { readInstalled } from '../ledger/installed.js';
import { requireSettings, type LedgerState } from '../ledger/migration.js';

/** What exists and may be read: less before a migration, and less for a role with few rights. */
export interface Sources {
  /** Its keys are the legacy table, together with the archive where there is one. */
  schema: MappedSchema;
  /** Null where there is no ledger, or none that this role may read. */
  ledger: LedgerState | null;
  holds: HoldsSource;
  /** True if the new table exists and this role may read it. */
  target: boolean;
  archive: boolean;
  /** True if `keylift.authorize` exists and this role may call it. */
  authorize: boolean;
}

/** Finds out what exists. @throws `settings_changed` when the ledger belongs to another configuration. */
export async function findSources(session: ReadSession, schema: MappedSchema): Promise<Sources> {
  const installed = await readInstalled(session, schema.settings, { visibleOnly: true });
  const { state, target, archive, authorize } = installed;
  if (state === null)
    return { schema, ledger: null, holds: noHolds(schema), target: false, archive: false, authorize: false };
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

/** The archive's name, or null where there is none. */
export const archiveOf = ({ archive }: Sources): string | null => (archive ? ARCHIVE : null);

const noHolds = ({ types }: MappedSchema): HoldsSource => ({
  from: 'parameters',
  keyIds: `'{}'::${types.id}[]`,
  accountIds: `'{}'::${types.account}[]`,
});
