import { dropFunction, revokeFunction } from '../src/database/plpgsql.js';
import { revokeFromOthers } from '../src/database/rights.js';
import { sql } from '../src/database/sql.js';
import { noteFunctions } from '../src/mirror/note-functions.js';
import { authorizeByPerApiKeys } from '../src/resolver/authorize.js';
import { perApiKeysView } from '../src/resolver/view.js';
import { step } from './context.js';

/** Expand: what a gateway may call. It stays through a rollback and answers by the old rule then. */
export const resolver = step({
  name: '03_resolver',
  up: (schema) => [
    authorizeByPerApiKeys(schema),
    { title: 'rights on keylift.authorize', text: revokeFunction(authorizeByPerApiKeys(schema)) },
    perApiKeysView(schema, { withSwitch: false }),
    noteFunctions([authorizeByPerApiKeys(schema)]),
    { title: 'rights on keylift.per_api_keys', text: revokeFromOthers('TABLE', 'keylift.per_api_keys') },
  ],
  down: (schema) => [
    {
      title: 'drop authorize and the view',
      text: sql`
        DROP VIEW IF EXISTS keylift.per_api_keys;
        ${dropFunction(authorizeByPerApiKeys(schema))}`,
    },
  ],
});
