import { BUG_CODES } from './codes/bugs.js';
import { COMMAND_LINE_CODES } from './codes/command-line.js';
import { DATABASE_CODES } from './codes/database.js';
import { FIXTURE_CODES } from './codes/fixtures.js';
import { MAPPING_CODES } from './codes/mapping.js';
import { MIGRATION_CODES } from './codes/migration.js';

/**
 * Every error that keylift foresees, by its code: exit, runbook section, meaning and hint. `npm run docs` prints it to
 * docs/messages.md.
 */
export const CATALOGUE = {
  ...COMMAND_LINE_CODES,
  ...MAPPING_CODES,
  ...DATABASE_CODES,
  ...MIGRATION_CODES,
  ...FIXTURE_CODES,
  ...BUG_CODES,
};

export type ErrorCode = keyof typeof CATALOGUE;
