import type { ReadSession } from '../../database/session.js';
import { withArchive } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { readInstalled } from '../../ledger/installed.js';
import { requireSettings } from '../../ledger/migration.js';
import { isBegun, reached } from '../../ledger/states.js';
import { finalityOf, NOTHING_FINAL, type Finality } from '../finality.js';

/** What a replay can read: less before a migration, and less after a purge. */
export interface Sources {
  /** Its keys are the legacy table, with the archive where that exists. */
  schema: MappedSchema;
  /** Holds, outcomes and the switch rule exist. */
  ledger: boolean;
  /** The table of the account keys exists. */
  target: boolean;
  /** Moved keys have their account keys, and the mirror is on; otherwise only the rules say what becomes of them. */
  accountKeys: boolean;
  finality: Finality;
  /** `keylift.authorize` exists, and this role may call it. */
  authorize: boolean;
  /** Indexes find per-API keys, and account keys, by their token. */
  indexed: { perApi: boolean; account: boolean };
}

/** Finds out what exists, also for a role that may read nothing but the legacy tables. @throws `settings_changed` */
export async function findSources(session: ReadSession, mapped: MappedSchema): Promise<Sources> {
  const installed = await readInstalled(session, mapped.settings, { visibleOnly: true });
  const { state, target, authorize } = installed;
  if (state === null) return withoutLedger(mapped);
  requireSettings(state, mapped.settings);
  // While a rollback takes keys out or restores rows, neither table has them as the rules say.
  const returning = state.state === 'rolling_back' || state.state === 'restoring';
  const schema = await withArchive(session, mapped, installed);
  const accountKeys = target && !returning && isBegun(state) && reached(state.stage, 'harden');
  return {
    schema,
    ledger: true,
    target,
    accountKeys,
    finality: finalityOf(installed),
    authorize: authorize && !returning,
    indexed: {
      // The last step of finalize makes the archive's own index.
      perApi: mapped.types.tokensSorted && (schema === mapped || reached(state.stage, 'finalize')),
      // Native keys have an index from the start, all account keys from harden on.
      account: true,
    },
  };
}

const withoutLedger = (schema: MappedSchema): Sources => ({
  schema,
  ledger: false,
  target: false,
  accountKeys: false,
  finality: NOTHING_FINAL,
  authorize: false,
  indexed: { perApi: schema.types.tokensSorted, account: false },
});
