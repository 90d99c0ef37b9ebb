import { ARCHIVE } from '../src/mapping/archive.js';
import { archiveLate } from '../src/mirror/late.js';
import { dropMirrorTriggers, finalTriggers, mirrorTriggers } from '../src/mirror/triggers.js';
import { execute, type Migration } from './context.js';

/** Finalize, last: with all rows archived, the latest here, the mirror has nothing left to carry. Taking it back puts it on again. */
export const mirrorOff: Migration = {
  name: '12_mirror_off',

  async up(knex, context) {
    const { legacy: l } = context;
    await execute(
      knex,
      `
      ${dropMirrorTriggers({ legacy: l })}
      ${archiveLate(context)}
      ${finalTriggers(context)}
      CREATE INDEX IF NOT EXISTS archived_keys_token ON ${ARCHIVE} ((${l.token('')}));
    `,
    );
  },

  async down(knex, context) {
    const { legacy: l } = context;
    await execute(
      knex,
      `
      ${dropMirrorTriggers({ legacy: l })}
      ${mirrorTriggers(context)}
      DROP INDEX IF EXISTS keylift.archived_keys_token;
    `,
    );
  },
};
