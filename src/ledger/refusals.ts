import { RefusedError } from '../errors.js';
import { reached, type Position } from './states.js';

/** Makes the refusal that a command gets at a position; null: there is no migration. */
export type Refuse = (at: Position | null) => RefusedError;

const isReturning = (at: Position | null): boolean => at?.state === 'restoring' || at?.state === 'rolling_back';

export const KEEP_ACCOUNT_KEYS =
  'Keep the account keys: they hold all that was moved. Only a backup has the per-API keys.';

const FINISH_ROLLBACK = 'Run keylift rollback to its end, then keylift migrate.';

export const nothingMigrated =
  (purpose: string): Refuse =>
  (at) =>
    at === null || at.state === 'rolled_back'
      ? new RefusedError('nothing_migrated', `there is no migration to ${purpose}`, {
          hint: 'Run keylift migrate first.',
          anchor: 'nothing-migrated',
        })
      : new RefusedError('nothing_migrated', `expand did not finish, so no key has moved: nothing to ${purpose}`, {
          hint: isReturning(at) ? FINISH_ROLLBACK : 'Run keylift migrate to continue, or keylift rollback to go back.',
          anchor: 'nothing-migrated',
        });

export const rollbackUnfinished: Refuse = () =>
  new RefusedError('rollback_unfinished', 'a rollback began and did not finish', {
    hint: FINISH_ROLLBACK,
    anchor: 'rollback-unfinished',
  });

export const notVerified: Refuse = (at) =>
  new RefusedError(
    'not_verified',
    isReturning(at)
      ? 'a rollback began and did not finish; accounts are switched after a proof'
      : 'accounts are switched after the proof has passed, not before',
    {
      facts: { stage: at?.stage },
      hint: isReturning(at) ? FINISH_ROLLBACK : 'Run keylift migrate --until verify first.',
      anchor: 'not-verified',
    },
  );

function toSwitchAll(at: Position | null): string {
  if (isReturning(at)) return FINISH_ROLLBACK;
  return reached(at?.stage ?? null, 'verify')
    ? 'Run keylift switch --all first.'
    : 'Run keylift migrate first: it switches every account after its proof.';
}

export const notSwitched: Refuse = (at) =>
  new RefusedError(
    'not_switched',
    isReturning(at)
      ? 'a rollback began and did not finish; finalize needs every account switched'
      : 'finalize needs every account switched; some are still answered by their per-API keys',
    { facts: { state: at?.state, stage: at?.stage }, hint: toSwitchAll(at), anchor: 'not-switched' },
  );

export const noWayBack: Refuse = (at) =>
  new RefusedError(
    'finalized_no_way_back',
    at?.state === 'purged'
      ? 'the per-API keys were purged, and switching back needs them in their table'
      : 'the per-API keys are in the archive, and switching back needs them in their table',
    {
      hint:
        at?.state === 'purged'
          ? KEEP_ACCOUNT_KEYS
          : 'Run keylift rollback: it restores them and switches every account back.',
      anchor: 'finalized',
    },
  );

/** Once finalize has begun there is nothing left that the command could do. */
export const finalized =
  (message: string, hint: string): Refuse =>
  () =>
    new RefusedError('finalized', message, { hint, anchor: 'finalized' });

function toFinalize(at: Position | null): string {
  if (isReturning(at)) return FINISH_ROLLBACK;
  return reached(at?.stage ?? null, 'switch')
    ? 'Run keylift finalize first, and purge when the way back is no longer needed.'
    : 'Run keylift migrate first, then keylift finalize, and purge when the way back is no longer needed.';
}

export const notFinalized: Refuse = (at) =>
  new RefusedError('not_finalized', 'there is no complete archive to purge', { hint: toFinalize(at), anchor: 'purge' });

export const purged: Refuse = () =>
  new RefusedError('purged', 'the archive was purged, so the per-API keys cannot be restored', {
    hint: KEEP_ACCOUNT_KEYS,
    anchor: 'purge',
  });

export const rehearsalTooLate: Refuse = () =>
  new RefusedError(
    'rehearsal_too_late',
    'this database has a keylift ledger already, so there is nothing to rehearse',
    {
      hint: 'See the pace of the migration with keylift status, or rehearse on a copy of the database.',
      anchor: 'too-late-to-rehearse',
    },
  );
