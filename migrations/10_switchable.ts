import { authorizeByPerApiKeys, authorizeWithSwitch, perApiKeysView } from '../src/resolver/resolver.js';
import { execute, type Migration } from './context.js';

/** Harden, last step: with its indexes there, the resolver learns to answer switched accounts from Settings. */
export const switchable: Migration = {
  name: '10_switchable',

  async up(knex, context) {
    await execute(
      knex,
      `ALTER TABLE ${context.legacy.target} RESET (autovacuum_enabled); ${authorizeWithSwitch(context)} ${perApiKeysView(context, { withSwitch: true })}`,
    );
  },

  async down(knex, context) {
    await execute(knex, `${authorizeByPerApiKeys(context)} ${perApiKeysView(context, { withSwitch: false })}`);
  },
};
