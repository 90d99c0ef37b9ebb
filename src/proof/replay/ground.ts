import type { ReadSession } from '../../database/session.js';
import { withArchive } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { readInstalled } from '../../ledger/installed.js';
import { requireSettings } from '../../ledger/migration.js';
import { isBegun, reached } from '../../ledger/states.js';

/** What there is to judge requests by: less before a migration, and less after a purge. */
export interface Ground {
  /** Its keys are the legacy table, and the archive where there is one. */
  schema: MappedSchema;
  /** Are holds, outcomes and switch rules there? */
  ledger: boolean;
  /** Is the new table there? */
  target: boolean;
  /** Do account keys stand for the moved keys, or do only the rules say what will become of them? */
  accountKeys: boolean;
  /** The rows of moved keys are gone for good; their account keys tell where they were made. */
  purged: boolean;
  /** Is `keylift.authorize` there, and ours to ask? */
  authorize: boolean;
  /** Are there indexes that find per-API keys, and account keys, by their token? */
  indexed: { perApi: boolean; account: boolean };
}

/** Looks what exists, also for a role that may read the legacy tables alone. @throws `settings_changed` */
export async function findGround(session: ReadSession, mapped: MappedSchema): Promise<Ground> {
  const installed = await readInstalled(session, mapped.settings, { visibleOnly: true });
  const { state, target, authorize } = installed;
  if (state === null) return withoutLedger(mapped);
  requireSettings(state, mapped.settings);
  // Rows on their way back are in neither table as the rules have it.
  const returning = state.state === 'rolling_back' || state.state === 'restoring';
  const schema = await withArchive(session, mapped, installed);
  const accountKeys = target && !returning && isBegun(state) && reached(state.stage, 'backfill');
  return {
    schema,
    ledger: true,
    target,
    accountKeys,
    purged: state.state === 'purged',
    authorize: authorize && !returning,
    indexed: {
      // The archive's own index is the last step of finalize.
      perApi: mapped.types.tokenIndexed && (schema === mapped || reached(state.stage, 'finalize')),
      // Of keys born in Settings there is one from the start, of all of them from harden on.
      account: !accountKeys || reached(state.stage, 'harden'),
    },
  };
}

const withoutLedger = (schema: MappedSchema): Ground => ({
  schema,
  ledger: false,
  target: false,
  accountKeys: false,
  purged: false,
  authorize: false,
  indexed: { perApi: schema.types.tokenIndexed, account: false },
});
