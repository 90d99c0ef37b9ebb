import { dropFunction } from '../database/plpgsql.js';
import { copyRowSecurity, revokeFromOthers } from '../database/rights.js';
import { sql, type Statement } from '../database/sql.js';
import { ARCHIVE } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { lookupOfToken } from '../mapping/token-index.js';
import { finalTriggerFunctions } from './archive-triggers.js';
import { refuseLate, createLate, dropLate } from './late-keys.js';
import { noteFunctions } from './note-functions.js';
import {
  archiveTriggers,
  checkEveryToken,
  checkNativeTokens,
  dropArchiveTriggers,
  dropMirrorTriggers,
  mirrorTriggers,
} from './triggers.js';

/** The archive, the triggers that keep it current, and the refusal of new keys for store APIs. */
export const installArchive = (schema: MappedSchema): Statement[] => [
  REQUIRE_FINALIZING,
  {
    title: 'the archive',
    text: sql`
      CREATE TABLE ${ARCHIVE} (LIKE ${schema.legacy.keys}, PRIMARY KEY (${schema.legacy.id('')}));
      ${revokeFromOthers('TABLE', ARCHIVE)}
      ${copyRowSecurity({ from: schema.legacy.keys, to: ARCHIVE })}
      ${createLate(schema)}`,
  },
  ...finalTriggerFunctions(schema),
  archiveTriggers(schema),
  noteFunctions(finalTriggerFunctions(schema)),
];

const REQUIRE_FINALIZING: Statement = {
  title: 'refuse to go on outside of finalize',
  text: sql`
    DO $do$
    BEGIN
      IF NOT EXISTS (SELECT FROM keylift.migration WHERE state = 'finalizing') THEN
        RAISE EXCEPTION 'this step belongs to keylift finalize, which proves and asks before it'
          USING ERRCODE = 'object_not_in_prerequisite_state';
      END IF;
    END
    $do$;`,
};

export const removeArchive = (schema: MappedSchema): Statement[] => [
  {
    title: 'refuse to drop an archive that holds rows',
    text: sql`
      DO $do$
      BEGIN
        IF to_regclass('${ARCHIVE}') IS NULL THEN RETURN; END IF;
        IF EXISTS (SELECT FROM ${ARCHIVE}) THEN
          RAISE EXCEPTION 'the archive still holds per-API keys; keylift rollback brings them back first';
        END IF;
      END
      $do$;`,
  },
  {
    title: 'drop the archive, its triggers and functions',
    text: sql`
      ${dropArchiveTriggers(schema)}
      ${finalTriggerFunctions(schema).map(dropFunction).join('\n')}
      DROP TABLE IF EXISTS ${ARCHIVE};
      ${dropLate}`,
  },
];

/** After the last page is archived the mirror goes, unless keys came meanwhile. */
export const endMirror = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  { title: 'refuse keys that got their account key behind the pages', text: refuseLate(schema) },
  checkEveryToken(schema),
  {
    title: 'index of the archive by token',
    text: `CREATE INDEX IF NOT EXISTS archived_keys_token ON ${ARCHIVE} ${lookupOfToken(schema, `(${schema.legacy.token('')})`)};`,
  },
];

/** The way back: the mirror goes on again before the first archived row returns. */
export const resumeMirror = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  ...mirrorTriggers(schema),
  {
    title: 'accept per-API keys of store APIs again',
    text: `DROP TRIGGER IF EXISTS keylift_guard ON ${schema.legacy.keys};`,
  },
  checkNativeTokens(schema),
  { title: 'drop the index of the archive', text: 'DROP INDEX IF EXISTS keylift.archived_keys_token;' },
];
