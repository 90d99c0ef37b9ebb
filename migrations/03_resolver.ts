import { authorizeByPerApiKeys, perApiKeysView } from '../src/resolver/resolver.js';
import { execute, type Migration } from './context.js';

/** Expand: what a gateway may call. It stays through a rollback and answers by the old rule then. */
export const resolver: Migration = {
  name: '03_resolver',

  async up(knex, context) {
    const { types } = context;
    await execute(
      knex,
      `
      ${authorizeByPerApiKeys(context)}
      REVOKE ALL ON FUNCTION keylift.authorize(${types.token}, ${types.apiId}) FROM PUBLIC;
      ${perApiKeysView(context, { withSwitch: false })}
    `,
    );
  },

  async down(knex, { types }) {
    await execute(
      knex,
      `
      DROP VIEW IF EXISTS keylift.per_api_keys;
      DROP FUNCTION IF EXISTS keylift.authorize(${types.token}, ${types.apiId});
    `,
    );
  },
};
