import type { Statement } from '../src/database/sql.js';
import type { MappedSchema } from '../src/mapping/inspect.js';
import { noteFunctions } from '../src/mirror/note-functions.js';
import { authorizeByPerApiKeys, authorizeWithSwitch } from '../src/resolver/authorize.js';
import { perApiKeysView } from '../src/resolver/view.js';
import { step } from './context.js';

const resumeVacuum = ({ legacy: l }: MappedSchema): Statement => ({
  title: `autovacuum of ${l.target}`,
  text: `ALTER TABLE ${l.target} RESET (autovacuum_enabled);`,
});

/** Harden, last step: the indexes exist, so authorize and the view can answer switched accounts from Settings. */
export const switchable = step({
  name: '12_switchable',
  up: (schema) => [
    resumeVacuum(schema),
    authorizeWithSwitch(schema),
    perApiKeysView(schema, { withSwitch: true }),
    noteFunctions([authorizeWithSwitch(schema)]),
  ],
  down: (schema) => [
    authorizeByPerApiKeys(schema),
    perApiKeysView(schema, { withSwitch: false }),
    noteFunctions([authorizeByPerApiKeys(schema)]),
  ],
});
