import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { findDependents } from './dependents.js';
import {
  countAccountKeys,
  keptKeys,
  LOCK_LEDGER,
  lockAccountKeys,
  removeAll,
  removeAroundAccountKeys,
} from './statements.js';

/** What `uninstall` runs, in one transaction. */
export const removingAll = (schema: MappedSchema): Statement[] => [
  { title: 'lock the list of runs', text: LOCK_LEDGER },
  { title: 'lock the new table', text: lockAccountKeys(schema) },
  { title: 'after a rollback: list the account keys that it kept; if there are any, refuse', text: keptKeys(schema) },
  {
    title: 'list the objects that keylift did not create; if there are any, refuse',
    text: findDependents(schema, { target: schema.legacy.target }),
    variants: { differ: 'after a purge the new table stays', texts: [findDependents(schema, { target: null })] },
  },
  {
    title: 'after a rollback: remove everything',
    text: removeAll(schema, { target: true }),
    variants: {
      differ: 'the new table is left out where there is none',
      texts: [removeAll(schema, { target: false })],
    },
  },
  { title: 'after a purge: remove everything but the new table', text: removeAroundAccountKeys(schema) },
  { title: 'after a purge: count its account keys', text: countAccountKeys(schema) },
];
