import { MIRROR_FUNCTIONS } from '../src/mirror/function-names.js';
import { legacyTriggerFunctions } from '../src/mirror/legacy-functions.js';
import { targetTriggerFunctions } from '../src/mirror/target-functions.js';
import { dropMirrorTriggers, mirrorTriggers } from '../src/mirror/triggers.js';
import { settleFunction } from '../src/mirror/settle.js';
import { execute, type Migration } from './context.js';

/**
 * Expand, last step: the mirror, and in the same transaction the one open range that stands for all keys there are.
 * CREATE TRIGGER waits until no writer is under way, so every later change knows of the range; a backfill that
 * started without it could read a row whose deletion had already looked for an account key and found none.
 */
export const mirror: Migration = {
  name: '05_mirror',

  async up(knex, context) {
    const { legacy: l, types } = context;
    const functions = MIRROR_FUNCTIONS(types.id, types.token);
    await execute(
      knex,
      `
      -- The number is in a function, which every session sees at once, and in a row, which an older snapshot does not.
      UPDATE keylift.migration SET mirror = mirror + 1;
      DO $do$ BEGIN
        EXECUTE format('CREATE FUNCTION keylift.mirror_number() RETURNS integer LANGUAGE sql IMMUTABLE RETURN %s', (SELECT mirror FROM keylift.migration));
      END $do$;
      ${settleFunction(context)}
      ${legacyTriggerFunctions(context)}
      ${targetTriggerFunctions(context)}
      ${functions.map((f) => `REVOKE ALL ON FUNCTION keylift.${f} FROM PUBLIC;`).join('\n')}
      REVOKE ALL ON TYPE keylift.verdict FROM PUBLIC;
      ${mirrorTriggers(context)}
      -- Nothing in the new table dies before harden; vacuuming it meanwhile would only compete with the copy.
      ALTER TABLE ${l.target} SET (autovacuum_enabled = false);
      INSERT INTO keylift.batches (after_id, upto_id, state)
        SELECT NULL, k.last, 'uncut' FROM (SELECT ${l.id()} AS last FROM ${l.keys} k ORDER BY ${l.id()} DESC LIMIT 1) k;
    `,
    );
  },

  async down(knex, { legacy: l, types }) {
    // Whatever a writer under way brought while the rows were taken out goes with the triggers, in one transaction.
    await execute(
      knex,
      `
      ${dropMirrorTriggers({ legacy: l })}
      ${MIRROR_FUNCTIONS(types.id, types.token)
        .map((f) => `DROP FUNCTION IF EXISTS keylift.${f};`)
        .join('\n')}
      DROP TYPE IF EXISTS keylift.verdict;
      DELETE FROM ${l.target} WHERE origin_api_id IS NOT NULL;
      ALTER TABLE ${l.target} RESET (autovacuum_enabled);
      DELETE FROM keylift.batches WHERE open;
    `,
    );
  },
};
