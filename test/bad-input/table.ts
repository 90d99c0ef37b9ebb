import { ARGUMENTS } from './arguments.js';
import { CASES, CASES_ON_A_SERVER } from './cases.js';
import { CONFIGURATION } from './configuration.js';
import { EVIDENCE } from './evidence.js';
import { INJECTIONS } from './injection.js';
import { LISTS } from './lists.js';
import type { Row } from './row.js';

/** Everything a person, a spreadsheet or an attacker may hand to keylift, by where it is handed in. */
export const TABLE: Record<string, readonly Row[]> = {
  'arguments and environment': ARGUMENTS,
  'the configuration': CONFIGURATION,
  'SQL where names belong': INJECTIONS,
  'lists of keys and accounts': LISTS,
  'decisions and probes': EVIDENCE,
  'fixture cases': [...CASES, ...CASES_ON_A_SERVER],
};
