import { dropFunction, type InstalledFunction } from '../database/plpgsql.js';
import { revokeFromOthers } from '../database/rights.js';
import { sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { accountIdFunctions, accountIdTrigger, dropAccountIdTrigger } from './account-ids.js';
import { crowdedTokens } from './crowds.js';
import { changeLogFunctions, changeLogTriggers, dropChangeLogTriggers } from './change-log.js';
import {
  dropGuardOfInserts,
  dropGuardTriggers,
  guardFunctions,
  guardRowsInserted,
  guardStatementsInserted,
  guardTriggers,
} from './guards.js';
import { legacyTriggerFunctions, refuseTruncate } from './legacy-triggers.js';
import { noteFunctions } from './note-functions.js';
import { MARK_WRITES_OF_STAGE } from './own-writes.js';
import { platformPath } from './platform-path.js';
import { refusalFunctions } from './refusals.js';
import { settleFunction } from './settle.js';
import { MOST_ENTRIES_UNDER_LOCK, stageFunctions } from './settle-ids.js';
import { settleKeysFunctions } from './settle-keys.js';
import { singleRowFunctions } from './single-row.js';
import { checkToken, targetTriggerFunctions } from './target-triggers.js';
import { dropMirrorTriggers, dropPermanentTriggers, mirrorTriggers, permanentTriggers } from './triggers.js';

/** SQLSTATE of the step that finds more entries in the change log than it may apply under its lock. */
export const CHANGE_LOG_GREW = 'KL001';

/** Functions that settle keys: a stage calls them before the mirror is on, the mirror's triggers from then on. */
export const settleFunctions = (schema: MappedSchema): InstalledFunction[] => [
  platformPath(schema),
  crowdedTokens(schema),
  settleFunction(schema),
  ...settleKeysFunctions(schema),
  ...singleRowFunctions(schema),
  ...refusalFunctions(schema),
  ...stageFunctions(schema),
];

/** Functions of the mirror's triggers. */
export const mirrorFunctions = (schema: MappedSchema): InstalledFunction[] => [
  ...legacyTriggerFunctions(schema),
  ...targetTriggerFunctions(schema),
];

/** Functions of the triggers that are there from expand on. */
const expandFunctions = (schema: MappedSchema): InstalledFunction[] => [
  ...changeLogFunctions(schema),
  checkToken(schema),
  ...guardFunctions(schema),
  ...accountIdFunctions(schema),
  refuseTruncate(),
];

/**
 * Expand: the change log. CREATE TRIGGER waits until no writer is under way, so every change that a later snapshot of the
 * backfill does not see is in the log.
 */
export const installChangeLog = (schema: MappedSchema): Statement[] => [
  ...expandFunctions(schema),
  ...changeLogTriggers(schema),
  ...permanentTriggers(schema),
  guardTriggers(schema),
  guardRowsInserted(schema),
  ...accountIdTrigger(schema),
  {
    title: `no autovacuum of ${schema.legacy.target} before harden`,
    text: sql`
      -- No row of the new table dies before harden; a vacuum would only compete with the copy.
      ALTER TABLE ${schema.legacy.target} SET (autovacuum_enabled = false);`,
  },
  noteFunctions(expandFunctions(schema)),
];

/** Removes the change log, with the account keys that were copied. */
export const removeChangeLog = (schema: MappedSchema): Statement[] => [
  {
    title: 'remove the account keys, ranges and entries that are left',
    text: sql`
      -- Before any lock of the legacy table: the rows may be many.
      ${MARK_WRITES_OF_STAGE};
      DELETE FROM ${schema.legacy.target} WHERE origin_api_id IS NOT NULL;
      DELETE FROM keylift.batches WHERE open;
      DELETE FROM keylift.listed_keys;`,
  },
  dropChangeLogTriggers(schema),
  dropPermanentTriggers(schema),
  dropGuardTriggers(schema),
  ...dropAccountIdTrigger(schema),
  {
    title: 'drop the functions of the change log',
    text: sql`
      ${expandFunctions(schema).map(dropFunction).join('\n')}
      DELETE FROM keylift.change_log;
      ALTER TABLE ${schema.legacy.target} RESET (autovacuum_enabled);`,
  },
];

/** Harden: the functions that settle keys. */
export const installSettle = (schema: MappedSchema): Statement[] => [
  createMirrorNumber(),
  { title: 'rights on keylift.mirror_number', text: revokeFromOthers('FUNCTION', 'keylift.mirror_number()') },
  verdictType(schema),
  ...settleFunctions(schema),
  noteFunctions(settleFunctions(schema)),
];

export const removeSettle = (schema: MappedSchema): Statement[] => [
  {
    title: 'drop the functions that settle keys',
    text: sql`
      ${settleFunctions(schema).map(dropFunction).join('\n')}
      DROP FUNCTION IF EXISTS keylift.mirror_number();
      DROP TYPE IF EXISTS keylift.verdict;`,
  },
];

/**
 * Harden: the moment the mirror is on. Under a lock that no writer holds, the rest of the change log is applied and the
 * triggers change, so no change is outside of both. A log that grew meanwhile is refused: the platform waits here.
 */
export const turnMirrorOn = (schema: MappedSchema): Statement[] => [
  ...mirrorFunctions(schema),
  {
    title: 'apply the rest of the change log under a lock',
    text: sql`
      LOCK TABLE ${schema.legacy.keys} IN SHARE ROW EXCLUSIVE MODE;
      LOCK TABLE ${schema.legacy.target} IN SHARE ROW EXCLUSIVE MODE;
      DO $do$
      BEGIN
        IF (SELECT count(*) FROM keylift.change_log) > ${MOST_ENTRIES_UNDER_LOCK} THEN
          RAISE EXCEPTION 'the change log has grown since the last round'
            USING ERRCODE = '${CHANGE_LOG_GREW}';
        END IF;
        WHILE keylift.apply_change_log(${MOST_ENTRIES_UNDER_LOCK}) > 0 LOOP END LOOP;
      END
      $do$;`,
  },
  dropChangeLogTriggers(schema),
  guardStatementsInserted(schema),
  ...mirrorTriggers(schema),
  {
    title: 'the mirror is on',
    text: sql`
      UPDATE keylift.migration SET mirror = mirror + 1, mirror_on = true;
      ${createMirrorNumber().text}`,
  },
  noteFunctions(mirrorFunctions(schema)),
];

/** Rollback: the mirror goes, with the account keys that a writer under way brought meanwhile. */
export const turnMirrorOff = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  dropGuardOfInserts(schema),
  { title: 'drop the functions of the mirror', text: mirrorFunctions(schema).map(dropFunction).join('\n') },
  {
    title: 'remove the account keys that are left',
    text: sql`
      DELETE FROM ${schema.legacy.target} WHERE origin_api_id IS NOT NULL;
      UPDATE keylift.migration SET mirror_on = false;`,
  },
];

/**
 * The number of the mirror, in a function, which every session sees at once, and in a row, which an older snapshot does not
 * see: a transaction that read the database before the mirror was on is turned away.
 */
export const createMirrorNumber = (): Statement => ({
  title: 'number of the mirror',
  text: sql`
    DO $do$
    BEGIN
      EXECUTE format(
        'CREATE OR REPLACE FUNCTION keylift.mirror_number() RETURNS integer LANGUAGE sql IMMUTABLE RETURN %s',
        (SELECT mirror FROM keylift.migration));
    END
    $do$;`,
});

const verdictType = ({ types }: MappedSchema): Statement => ({
  title: 'type keylift.verdict',
  text: sql`
    CREATE TYPE keylift.verdict AS (
      key_id ${types.id},
      outcome text,
      reason text,
      account_key_id ${types.id},
      token ${types.token},
      last_used_at ${types.lastUsedAt}
    );
    ${revokeFromOthers('TYPE', 'keylift.verdict')}`,
});
