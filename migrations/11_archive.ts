import { ARCHIVE } from '../src/mapping/archive.js';
import { archiveTriggerFunctions } from '../src/mirror/target-functions.js';
import { createLate, dropLate } from '../src/mirror/late.js';
import { execute, type Migration } from './context.js';

/**
 * Finalize, first: the archive, the triggers that keep it current, and the guard. From here on a new per-API key of
 * a store API is refused, with a message that says where keys live now.
 */
export const archive: Migration = {
  name: '11_archive',

  async up(knex, context) {
    const { legacy: l, searchPath, types } = context;
    const storeKey = (row: string): string =>
      `EXISTS (SELECT FROM (SELECT ${row}.*) k LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()} LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
        WHERE ${l.inStore()} AND ${l.isPerApiKey()})`;
    const watched = (row: string): string => types.watched.map((c) => `${row}.${c.name}`).join(', ');
    const notOurs = `coalesce(current_setting('keylift.writer', true), '') = ''`;
    await execute(
      knex,
      `
      DO $body$ BEGIN
        IF NOT EXISTS (SELECT FROM keylift.migration WHERE state = 'finalizing') THEN
          RAISE EXCEPTION 'this step belongs to keylift finalize, which proves and asks before it'
            USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
      END $body$;
      CREATE TABLE IF NOT EXISTS ${ARCHIVE} (LIKE ${l.keys}, PRIMARY KEY (${l.id('')}));
      ${createLate(context)}
      ${archiveTriggerFunctions(context, ARCHIVE)}
      CREATE FUNCTION keylift.refuse_store_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path = ${searchPath} AS $body$
      BEGIN
        IF TG_OP = 'UPDATE' THEN
          -- Last use is written at every call.
          IF record_image_eq(ROW(${watched('OLD')}), ROW(${watched('NEW')})) THEN RETURN NEW; END IF;
          -- What is remembered of a key left behind goes with it to another id.
          IF ${l.id('NEW')} <> ${l.id('OLD')} THEN
            DELETE FROM keylift.outcomes WHERE key_id = ${l.id('NEW')} AND outcome IN ('exception', 'hold');
            DELETE FROM keylift.overlaps WHERE key_id = ${l.id('NEW')};
            UPDATE keylift.outcomes SET key_id = ${l.id('NEW')} WHERE key_id = ${l.id('OLD')} AND outcome IN ('exception', 'hold');
            UPDATE keylift.overlaps SET key_id = ${l.id('NEW')} WHERE key_id = ${l.id('OLD')};
          END IF;
          -- What was left behind may go on as it was, with the token of an account key beside that; only a step into the store is new.
          IF ${storeKey('OLD')} THEN
            INSERT INTO keylift.overlaps (key_id) SELECT x.key_id FROM keylift.outcomes x JOIN (SELECT NEW.*) k ON ${l.id()} = x.key_id
              WHERE x.outcome IN ('exception', 'hold') AND EXISTS (SELECT FROM ${l.target} t WHERE t.token = ${l.token()})
              ON CONFLICT DO NOTHING;
            RETURN NEW;
          END IF;
        END IF;
        IF ${storeKey('NEW')} THEN
          RAISE EXCEPTION 'keys of store APIs are made in the account''s Settings now, not in an API'
            USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'Insert account_id, name and token into ${l.target.replaceAll("'", "''")} instead.';
        END IF;
        RETURN NEW;
      END $body$;
      REVOKE ALL ON FUNCTION keylift.archive_update(), keylift.archive_delete(), keylift.refuse_store_key() FROM PUBLIC;
      CREATE TRIGGER keylift_guard BEFORE INSERT OR UPDATE ON ${l.keys} FOR EACH ROW WHEN (${notOurs})
        EXECUTE FUNCTION keylift.refuse_store_key();
      CREATE TRIGGER keylift_archive_update AFTER UPDATE ON ${l.target} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT WHEN (${notOurs}) EXECUTE FUNCTION keylift.archive_update();
      CREATE TRIGGER keylift_archive_delete AFTER DELETE ON ${l.target} REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT WHEN (${notOurs}) EXECUTE FUNCTION keylift.archive_delete();
    `,
    );
  },

  async down(knex, { legacy: l }) {
    await execute(
      knex,
      `
      DO $body$ BEGIN
        IF EXISTS (SELECT FROM ${ARCHIVE}) THEN
          RAISE EXCEPTION 'the archive still holds per-API keys; keylift rollback brings them back first';
        END IF;
      END $body$;
      DROP TRIGGER IF EXISTS keylift_guard ON ${l.keys};
      DROP TRIGGER IF EXISTS keylift_archive_update ON ${l.target};
      DROP TRIGGER IF EXISTS keylift_archive_delete ON ${l.target};
      DROP FUNCTION IF EXISTS keylift.refuse_store_key(), keylift.archive_update(), keylift.archive_delete();
      DROP TABLE IF EXISTS ${ARCHIVE};
      ${dropLate}
    `,
    );
  },
};
