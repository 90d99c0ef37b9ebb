import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { reached, type Position } from './states.js';

/** Makes the refusal that a command gets at a position; null: there is no migration. */
export type Refuse = (at: Position | null) => KeyliftError;

const isReturning = (at: Position | null): boolean => at?.state === 'restoring' || at?.state === 'rolling_back';

export const KEEP_ACCOUNT_KEYS =
  'Keep the account keys: they hold all that was moved. Only a backup has the per-API keys.';

const FINISH_ROLLBACK = 'Run keylift rollback to its end, then keylift migrate.';

export const nothingMigrated =
  (purpose: string): Refuse =>
  (at) =>
    at === null || at.state === 'rolled_back'
      ? keyliftError('nothing_migrated', {
          message: `there is no migration to ${purpose}`,
          hint: 'Run keylift migrate first.',
        })
      : keyliftError('nothing_migrated', {
          message: `expand did not finish, so no key has moved: nothing to ${purpose}`,
          hint: isReturning(at) ? FINISH_ROLLBACK : 'Run keylift migrate to continue, or keylift rollback to go back.',
        });

export const notHardened =
  (what: string): Refuse =>
  (at) =>
    keyliftError('not_hardened', {
      message: `${what} once harden is complete: until then changes wait in the change log`,
      facts: { stage: at?.stage },
    });

export const rollbackUnfinished: Refuse = () =>
  keyliftError('rollback_unfinished', { message: 'a rollback began and did not finish', hint: FINISH_ROLLBACK });

export const notVerified: Refuse = (at) =>
  keyliftError('not_verified', {
    message: isReturning(at)
      ? 'a rollback began and did not finish; accounts are switched after a proof'
      : 'accounts are switched after the proof has passed, not before',
    facts: { stage: at?.stage },
    hint: isReturning(at) ? FINISH_ROLLBACK : 'Run keylift migrate --until verify first.',
  });

function toSwitchAll(at: Position | null): string {
  if (isReturning(at)) return FINISH_ROLLBACK;
  return reached(at?.stage ?? null, 'verify')
    ? 'Run keylift switch --all first.'
    : 'Run keylift migrate first: it switches every account after its proof.';
}

export const notSwitched: Refuse = (at) =>
  keyliftError('not_switched', {
    message: isReturning(at)
      ? 'a rollback began and did not finish; finalize needs every account switched'
      : 'finalize needs every account switched; some are still answered by their per-API keys',
    facts: { state: at?.state, stage: at?.stage },
    hint: toSwitchAll(at),
  });

export const noWayBack: Refuse = (at) =>
  keyliftError('finalized_no_way_back', {
    message:
      at?.state === 'purged'
        ? 'the per-API keys were purged, and switching back needs them in the legacy table'
        : 'the per-API keys are in the archive, and switching back needs them in the legacy table',
    hint:
      at?.state === 'purged'
        ? KEEP_ACCOUNT_KEYS
        : 'Run keylift rollback: it restores them and switches every account back.',
  });

/** Once finalize has begun there is nothing left that the command could do. */
export const finalized =
  (message: string, hint: string): Refuse =>
  () =>
    keyliftError('finalized', { message, hint });

function toFinalize(at: Position | null): string {
  if (isReturning(at)) return FINISH_ROLLBACK;
  return reached(at?.stage ?? null, 'switch')
    ? 'Run keylift finalize first, and purge when the way back is no longer needed.'
    : 'Run keylift migrate first, then keylift finalize, and purge when the way back is no longer needed.';
}

export const notFinalized: Refuse = (at) =>
  keyliftError('not_finalized', { message: 'there is no complete archive to purge', hint: toFinalize(at) });

export const purged: Refuse = () =>
  keyliftError('purged', {
    message: 'the archive was purged, so the per-API keys cannot be restored',
    hint: KEEP_ACCOUNT_KEYS,
  });

export const uninstallTooEarly: Refuse = (at) =>
  keyliftError('uninstall_refused', {
    message: isReturning(at)
      ? 'a rollback began and did not finish; nothing was changed'
      : 'a migration is active, and its accounts and keys need what uninstall removes; nothing was changed',
    facts: { state: at?.state, stage: at?.stage },
    hint: isReturning(at)
      ? 'Run keylift rollback to its end, then keylift uninstall.'
      : 'Run keylift rollback first, or finalize the migration and purge its archive.',
  });

export const rehearsalTooLate: Refuse = () =>
  keyliftError('rehearsal_too_late', {
    message: 'this database has a keylift ledger already, so there is nothing to rehearse',
  });
