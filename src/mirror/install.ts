import { dropFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql, type Statement } from '../database/sql.js';
import { ARCHIVE } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { finalTriggerFunctions } from './archive-triggers.js';
import { awaitBatches } from './await-batches.js';
import { archiveLate, createLate, dropLate } from './late-keys.js';
import { legacyTriggerFunctions, refuseTruncate } from './legacy-triggers.js';
import { settleFunction } from './settle.js';
import { settleKeysFunctions } from './settle-keys.js';
import { singleRowFunctions } from './single-row.js';
import { targetTriggerFunctions } from './target-triggers.js';
import { archiveTriggers, dropArchiveTriggers, dropMirrorTriggers, finalTriggers, mirrorTriggers } from './triggers.js';

/** All functions of the mirror but `mirror_number`. */
const mirrorFunctions = (schema: MappedSchema): InstalledFunction[] => [
  awaitBatches(schema),
  settleFunction(schema),
  ...settleKeysFunctions(schema),
  ...singleRowFunctions(schema),
  ...legacyTriggerFunctions(schema),
  refuseTruncate(),
  ...targetTriggerFunctions(schema),
];

/**
 * Installs the mirror. In the same transaction it opens the one range that stands for all keys there are: CREATE TRIGGER
 * waits until no writer is under way, so every later change knows of the range. A backfill that began without it could
 * read a row whose deletion had already looked for an account key and found none.
 */
export const installMirror = (schema: MappedSchema): Statement[] => [
  NUMBER_MIRROR,
  verdictType(schema),
  ...mirrorFunctions(schema),
  ...mirrorTriggers(schema),
  openOneRange(schema),
];

/** The number is in a function, which every session sees at once, and in a row, which an older snapshot does not see. */
const NUMBER_MIRROR: Statement = {
  title: 'number this mirror',
  text: sql`
    UPDATE keylift.migration SET mirror = mirror + 1;
    DO $do$
    BEGIN
      EXECUTE format(
        'CREATE FUNCTION keylift.mirror_number() RETURNS integer LANGUAGE sql IMMUTABLE RETURN %s',
        (SELECT mirror FROM keylift.migration));
    END
    $do$;
    REVOKE ALL ON FUNCTION keylift.mirror_number() FROM PUBLIC;`,
};

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
    REVOKE ALL ON TYPE keylift.verdict FROM PUBLIC;`,
});

const openOneRange = ({ legacy: l }: MappedSchema): Statement => ({
  title: 'one open range for all keys',
  text: sql`
    -- Nothing in the new table dies before harden; a vacuum would only compete with the copy.
    ALTER TABLE ${l.target} SET (autovacuum_enabled = false);
    INSERT INTO keylift.batches (after_id, upto_id, state)
    SELECT NULL, k.last, 'uncut'
    FROM (SELECT ${l.id()} AS last FROM ${l.keys} k ORDER BY ${l.id()} DESC LIMIT 1) k;`,
});

/** Removes the mirror. Account keys that a writer under way brought meanwhile go in the same transaction. */
export const removeMirror = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  {
    title: 'drop the functions of the mirror',
    text: sql`
      ${mirrorFunctions(schema).map(dropFunction).join('\n')}
      DROP FUNCTION IF EXISTS keylift.mirror_number();
      DROP TYPE IF EXISTS keylift.verdict;`,
  },
  {
    title: 'remove the account keys and ranges that are left',
    text: sql`
      DELETE FROM ${schema.legacy.target} WHERE origin_api_id IS NOT NULL;
      ALTER TABLE ${schema.legacy.target} RESET (autovacuum_enabled);
      DELETE FROM keylift.batches WHERE open;`,
  },
];

/** The archive, the triggers that keep it current, and the refusal of new keys for store APIs. */
export const installArchive = (schema: MappedSchema): Statement[] => [
  REQUIRE_FINALIZING,
  {
    title: 'the archive',
    text: sql`
      CREATE TABLE IF NOT EXISTS ${ARCHIVE} (LIKE ${schema.legacy.keys}, PRIMARY KEY (${schema.legacy.id('')}));
      ${createLate(schema)}`,
  },
  ...finalTriggerFunctions(schema),
  archiveTriggers(schema),
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

/** After the last page is archived: the mirror goes, with the keys that came meanwhile. */
export const endMirror = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  { title: 'archive keys that got their account key behind the pages', text: archiveLate(schema) },
  finalTriggers(schema),
  {
    title: 'index of the archive by token',
    text: `CREATE INDEX IF NOT EXISTS archived_keys_token ON ${ARCHIVE} ((${schema.legacy.token('')}));`,
  },
];

/** The way back: the mirror goes on again before the first archived row returns. */
export const resumeMirror = (schema: MappedSchema): Statement[] => [
  dropMirrorTriggers(schema),
  ...mirrorTriggers(schema),
  { title: 'drop the index of the archive', text: 'DROP INDEX IF EXISTS keylift.archived_keys_token;' },
];
