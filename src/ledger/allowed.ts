import type { KeyliftError } from '../errors/keylift-error.js';
import {
  finalized,
  KEEP_ACCOUNT_KEYS,
  noWayBack,
  nothingMigrated,
  notFinalized,
  notHardened,
  notSwitched,
  notVerified,
  purged,
  rehearsalTooLate,
  rollbackUnfinished,
  uninstallTooEarly,
  type Refuse,
} from './refusals.js';
import { isBegun, reached, type MigrationState, type Position, type StageName } from './states.js';

/** A command runs in a state, or is refused; with `before`, it is refused until that stage is completed. */
type Cell = 'runs' | Refuse | { readonly before: StageName; readonly refuse: Refuse };

const RUNS = 'runs';

const IN_PART = finalized(
  'accounts cannot be rolled back alone after finalize or a rollback has begun',
  'Run keylift rollback without --accounts.',
);

/** What each command meets in each state; `none`: the database has no migration. */
const TABLE = {
  migrate: {
    none: RUNS,
    active: RUNS,
    finalizing: finalized(
      'finalize has begun; nothing is left to migrate',
      'Run keylift finalize again to complete it, or keylift rollback to go back.',
    ),
    finalized: finalized(
      'this migration is finalized; nothing is left to migrate',
      'To begin anew, run keylift rollback first: until finalize --purge it restores every per-API key.',
    ),
    purged: finalized('this migration is finalized and purged; nothing is left to migrate', KEEP_ACCOUNT_KEYS),
    restoring: finalized(
      'a rollback of a finalized migration did not finish',
      'Run keylift rollback to its end, then keylift migrate.',
    ),
    rolling_back: rollbackUnfinished,
    rolled_back: RUNS,
  },
  verify: {
    none: nothingMigrated('verify'),
    active: { before: 'harden', refuse: notHardened('the proof compares both tables') },
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: RUNS,
    rolling_back: { before: 'expand', refuse: nothingMigrated('verify') },
    rolled_back: nothingMigrated('verify'),
  },
  repair: {
    none: nothingMigrated('repair'),
    active: { before: 'expand', refuse: nothingMigrated('repair') },
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: rollbackUnfinished,
    rolling_back: rollbackUnfinished,
    rolled_back: nothingMigrated('repair'),
  },
  switch: {
    none: nothingMigrated('switch'),
    active: { before: 'verify', refuse: notVerified },
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: RUNS,
    rolling_back: notVerified,
    rolled_back: nothingMigrated('switch'),
  },
  'switch --back': {
    none: nothingMigrated('switch back'),
    active: { before: 'verify', refuse: notVerified },
    finalizing: noWayBack,
    finalized: noWayBack,
    purged: noWayBack,
    restoring: noWayBack,
    rolling_back: notVerified,
    rolled_back: nothingMigrated('switch back'),
  },
  finalize: {
    none: nothingMigrated('finalize'),
    active: { before: 'switch', refuse: notSwitched },
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: notSwitched,
    rolling_back: notSwitched,
    rolled_back: nothingMigrated('finalize'),
  },
  'finalize --purge': {
    none: nothingMigrated('purge'),
    active: notFinalized,
    finalizing: notFinalized,
    finalized: RUNS,
    purged: RUNS,
    restoring: notFinalized,
    rolling_back: notFinalized,
    rolled_back: nothingMigrated('purge'),
  },
  rollback: {
    none: RUNS,
    active: RUNS,
    finalizing: RUNS,
    finalized: RUNS,
    purged,
    restoring: RUNS,
    rolling_back: RUNS,
    rolled_back: RUNS,
  },
  'rollback --accounts': {
    none: RUNS,
    active: { before: 'harden', refuse: notHardened('accounts are rolled back alone') },
    finalizing: IN_PART,
    finalized: IN_PART,
    purged: finalized('the archive was purged, so the per-API keys cannot be restored', KEEP_ACCOUNT_KEYS),
    restoring: IN_PART,
    rolling_back: IN_PART,
    rolled_back: RUNS,
  },
  uninstall: {
    none: RUNS,
    active: uninstallTooEarly,
    finalizing: uninstallTooEarly,
    finalized: uninstallTooEarly,
    purged: RUNS,
    restoring: uninstallTooEarly,
    rolling_back: uninstallTooEarly,
    rolled_back: RUNS,
  },
  'pause, resume, tune': {
    none: nothingMigrated('steer'),
    active: RUNS,
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: RUNS,
    rolling_back: RUNS,
    rolled_back: nothingMigrated('steer'),
  },
  report: {
    none: nothingMigrated('report on'),
    active: RUNS,
    finalizing: RUNS,
    finalized: RUNS,
    purged: RUNS,
    restoring: RUNS,
    rolling_back: RUNS,
    rolled_back: RUNS,
  },
  'plan --rehearse': {
    none: RUNS,
    active: rehearsalTooLate,
    finalizing: rehearsalTooLate,
    finalized: rehearsalTooLate,
    purged: rehearsalTooLate,
    restoring: rehearsalTooLate,
    rolling_back: rehearsalTooLate,
    rolled_back: rehearsalTooLate,
  },
} satisfies Record<string, Record<MigrationState | 'none', Cell>>;

/** The commands that the state of a migration can refuse. Every other command runs in every state. */
export type Command = keyof typeof TABLE;
export const COMMANDS = Object.keys(TABLE) as readonly Command[];

/** Commands that no database without a migration runs. */
export type NeedsMigration = { [C in Command]: (typeof TABLE)[C]['none'] extends 'runs' ? never : C }[Command];

/** Why the command may not run at this position, or null if it may. */
export function refusalOf(command: Command, at: Position | null): KeyliftError | null {
  const cell: Cell = TABLE[command][at?.state ?? 'none'];
  if (cell === RUNS) return null;
  if (typeof cell === 'function') return cell(at);
  return reached(at?.stage ?? null, cell.before) ? null : cell.refuse(at);
}

/**
 * Refuses a command that the table does not allow at this position.
 *
 * @returns the position, which is not null for a command that needs a migration.
 * @throws with the code of the table.
 */
export function requireAllowed<At extends Position>(command: NeedsMigration, at: At | null): At;
export function requireAllowed<At extends Position>(command: Command, at: At | null): At | null;
export function requireAllowed<At extends Position>(command: Command, at: At | null): At | null {
  const refusal = refusalOf(command, at);
  if (refusal !== null) throw refusal;
  return at;
}

/**
 * The check before a command takes the lease: it refuses only where no migration has begun. All other refusals wait for
 * the lease, as the position can change while another run is active.
 *
 * @throws with the code of the table.
 */
export function requireBegun(command: NeedsMigration, at: Position | null): void {
  if (!isBegun(at)) requireAllowed(command, at);
}
