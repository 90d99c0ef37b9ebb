import { entries } from '../entry.js';

/** The state of the migration, or a gate, does not allow the command; or a run stopped. */
export const MIGRATION_CODES = entries({
  preflight: {
    exit: 'refused',
    section: 'preflight',
    meaning: 'One or more gates refuse. The message names each gate and what to do. Nothing was changed.',
    hint: 'Nothing was changed. Clear the gates above and run the command again.',
  },
  saved_plan_of_another: {
    exit: 'refused',
    section: 'saved-plan',
    meaning: 'The saved plan is of another database, another configuration, other holds or another release of keylift.',
    hint: 'Review and save a plan of this database with this configuration: keylift plan --out FILE.',
  },
  plan_drifted: {
    exit: 'refused',
    section: 'saved-plan',
    meaning: 'The database has drifted from the saved plan by more than --tolerance. Nothing was changed.',
    hint: 'Review the changes and save the plan again, or accept them with --tolerance P%. Nothing was changed.',
  },
  ledger_newer: {
    exit: 'refused',
    section: 'later-version',
    meaning: 'A later version of keylift has worked on this ledger. This version does not know what it changed.',
    hint: 'Use that version, or a later one, for every command of this migration.',
  },
  another_run: {
    exit: 'refused',
    section: 'another-run',
    meaning: 'Another keylift holds the lease. Only one run changes a migration at a time.',
    hint:
      'Watch it with keylift status. When its process is dead, its lease ends within 30 seconds; then run the command ' +
      'again.',
  },
  lease_lost: {
    exit: 'refused',
    section: 'another-run',
    meaning: 'This process was stopped or cut off for so long that its lease ended. It wrote nothing after that.',
    hint: 'Look with keylift status, then run the command again if no other run is active.',
  },
  nothing_migrated: {
    exit: 'refused',
    section: 'nothing-migrated',
    meaning: 'The command needs a migration, and there is none, or it was rolled back.',
    hint: 'Run keylift migrate first.',
  },
  rehearsal_too_late: {
    exit: 'refused',
    section: 'too-late-to-rehearse',
    meaning: 'plan --rehearse needs a database without a ledger, and this one has a ledger.',
    hint: 'See the pace of the migration with keylift status, or rehearse on a copy of the database.',
  },
  not_verified: {
    exit: 'refused',
    section: 'not-verified',
    meaning: 'Accounts can be switched after the proof has passed, and it has not passed yet.',
    hint: 'Run keylift migrate --until verify first.',
  },
  proof_failed: {
    exit: 'differences',
    section: 'proof-failed',
    meaning: 'The proof found differences. This run switched no account; accounts that were switched before still are.',
    hint:
      'Run keylift verify for the list. If rows were written past the mirror, keylift repair brings account keys and ' +
      'per-API keys in line.',
  },
  mirror_off: {
    exit: 'refused',
    section: 'mirror-off',
    meaning:
      'A trigger, a function or the view of keylift is missing, disabled or replaced, or another table took the place of ' +
      'a mapped one. Changes may be lost.',
    hint: 'Run keylift repair: it says what it would do, mends it, and proves the result.',
  },
  proof_needed: {
    exit: 'refused',
    section: 'proof-needed',
    meaning: 'The last proof failed, or the mirror was off after it. No account is switched until a proof has passed.',
    hint: 'Run keylift repair, or keylift verify where the cause is gone. keylift switch --back stays possible.',
  },
  not_hardened: {
    exit: 'refused',
    section: 'not-hardened',
    meaning: 'The command needs both tables in step, and changes still wait in the change log. harden applies them.',
    hint: 'Run keylift migrate --until harden first.',
  },
  change_log_grows: {
    exit: 'unreachable',
    section: 'change-log-grows',
    meaning: 'The platform changed keys faster than harden applied the change log. Every batch is done.',
    hint: 'Run keylift migrate again when the platform writes less: it continues with the change log.',
  },
  batches_failed: {
    exit: 'unreachable',
    section: 'batches-failed',
    meaning: 'Some ranges of keys could not be copied. All others are done.',
    hint: 'Run keylift migrate again: it continues with these ranges.',
  },
  step_cut_off: {
    exit: 'unreachable',
    section: 'step-cut-off',
    meaning: 'A statement_timeout ended a DDL step, or a person cancelled it.',
    hint:
      'Run the same command again. Behind a pooler, first lift the limit for the role: ' +
      'ALTER ROLE … SET statement_timeout = 0.',
  },
  unfit_keys: {
    exit: 'refused',
    section: 'unfit-keys',
    meaning:
      'Native keys have no account, no token or another scope, and the constraints of the new table refuse them.',
    hint: 'Give these keys what they lack, or delete them from the new table; then run the same command again.',
  },
  settings_changed: {
    exit: 'refused',
    section: 'settings-changed',
    meaning: 'The configuration differs from the one that this migration began with.',
    hint:
      'Use that configuration, or take the migration back with it first: keylift rollback, then keylift ' +
      'uninstall.',
  },
  uninstall_refused: {
    exit: 'refused',
    section: 'uninstall',
    meaning:
      'uninstall would affect native keys, switched accounts or objects that keylift did not create. The facts list ' +
      'them. Nothing was changed.',
    hint: 'Run keylift rollback first, and drop or change what the facts list.',
  },
  no_replica: {
    exit: 'refused',
    section: 'throttling',
    meaning: 'migrate was given --max-lag, and no replica is connected to this server.',
    hint: 'Leave out --max-lag, or connect the replica first. Nothing was changed.',
  },
  rollback_unfinished: {
    exit: 'refused',
    section: 'rollback-unfinished',
    meaning: 'A rollback began and did not finish.',
    hint: 'Run keylift rollback to its end, then migrate.',
  },
  not_switched: {
    exit: 'refused',
    section: 'not-switched',
    meaning: 'finalize needs every account switched, and some are still answered by their per-API keys.',
    hint: 'Run keylift switch --all first.',
  },
  foreign_keys_point: {
    exit: 'refused',
    section: 'foreign-keys',
    meaning: 'Rows of other tables reference rows that finalize would archive.',
    hint: 'Repoint them with the DDL above (key ids are kept), then run keylift finalize again.',
  },
  account_keys_referenced: {
    exit: 'refused',
    section: 'foreign-keys',
    meaning: 'Rows of other tables reference account keys that a hold, a rollback or a changed outcome would delete.',
    hint:
      'Point these rows at the legacy table, or drop the foreign key (key ids are kept), then run the command again. ' +
      'The account keys above are unchanged.',
  },
  foreign_keys_point_back: {
    exit: 'refused',
    section: 'foreign-keys',
    meaning: 'Rows or foreign keys of other tables reference account keys or indexes that a rollback would take away.',
    hint:
      'Run the DDL above (key ids are kept), then run keylift rollback again. All accounts are still answered as ' +
      'before.',
  },
  triggers_need_a_decision: {
    exit: 'refused',
    section: 'triggers-of-the-platform',
    meaning:
      'The platform has triggers on deletes from the legacy table (finalize) or on inserts into it (rollback after ' +
      'finalize). No customer deletes or makes a key there, so the operator decides whether they fire.',
    hint: 'Read what the triggers do, then run the same command with --triggers skip or --triggers fire.',
  },
  triggers_not_skippable: {
    exit: 'refused',
    section: 'triggers-of-the-platform',
    meaning: 'To skip triggers, the role must be allowed to set session_replication_role or to alter the legacy table.',
    hint: 'Run the same command as the owner of the legacy table, or pass --triggers fire.',
  },
  triggers_change_rows: {
    exit: 'refused',
    section: 'triggers-of-the-platform',
    meaning:
      'A page of rows was not archived or restored as it was, because triggers of the platform kept or changed rows. ' +
      'The page was rolled back; the pages before it are done.',
    hint: 'Run the same command with --triggers skip: it continues with this page.',
  },
  finalized: {
    exit: 'refused',
    section: 'finalized',
    meaning: 'The moved per-API rows are in the archive, so the command does not apply.',
    hint: 'Run keylift rollback for the whole migration first; until finalize --purge it brings everything back.',
  },
  finalized_no_way_back: {
    exit: 'refused',
    section: 'finalized',
    meaning: 'switch --back needs the per-API keys in the legacy table, and they are in the archive.',
    hint: 'Run keylift rollback: it brings them back and switches every account back.',
  },
  not_finalized: {
    exit: 'refused',
    section: 'purge',
    meaning: 'There is no archive to purge.',
    hint: 'Run keylift finalize first, and purge when the way back is no longer needed.',
  },
  purged: {
    exit: 'refused',
    section: 'purge',
    meaning: 'The archive was purged, so the per-API keys cannot be restored.',
    hint: 'Keep the account keys: they hold all that was moved. Only a backup has the old rows.',
  },
  interrupted: {
    exit: 'interrupted',
    section: 'stop-resume-take-back',
    meaning: 'The operator stopped the command.',
    hint: 'Run the same command again: it continues where it stopped.',
  },
});
