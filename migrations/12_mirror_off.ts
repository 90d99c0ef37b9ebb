import { ARCHIVE } from '../src/legacy/archive.js';
import { MIRROR_TRIGGERS, mirrorTriggers } from './statements/mirror.js';
import { execute, type Migration } from './context.js';

/** Finalize, last: with the rows archived the mirror has nothing left to carry. Taking it back puts it on again. */
export const mirrorOff: Migration = {
  name: '12_mirror_off',

  async up(knex, { legacy: l }) {
    await execute(knex, `
      ${MIRROR_TRIGGERS.legacy.map((t) => `DROP TRIGGER IF EXISTS ${t} ON ${l.keys};`).join('\n')}
      ${MIRROR_TRIGGERS.target.map((t) => `DROP TRIGGER IF EXISTS ${t} ON ${l.target};`).join('\n')}
      CREATE INDEX IF NOT EXISTS archived_keys_token ON ${ARCHIVE} ((${l.token.replace(/\bk\./g, '')}));
    `);
  },

  async down(knex, context) {
    const { legacy: l } = context;
    await execute(knex, `
      ${MIRROR_TRIGGERS.legacy.map((t) => `DROP TRIGGER IF EXISTS ${t} ON ${l.keys};`).join('\n')}
      ${MIRROR_TRIGGERS.target.map((t) => `DROP TRIGGER IF EXISTS ${t} ON ${l.target};`).join('\n')}
      ${mirrorTriggers(context)}
      DROP INDEX IF EXISTS keylift.archived_keys_token;
    `);
  },
};
