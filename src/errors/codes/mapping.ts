import { entries } from '../entry.js';

/** The configuration does not fit the database, or `init` cannot write one. */
export const MAPPING_CODES = entries({
  mapping_missing: {
    exit: 'usage',
    section: 'mapping',
    meaning: 'The configuration names tables, columns or a time zone that the database does not have.',
    hint: 'Correct the configuration; nothing was changed.',
  },
  mapping_invalid: {
    exit: 'usage',
    section: 'mapping',
    meaning: 'Column types or expressions of the configuration do not fit. A caret marks the fault in an expression.',
    hint: 'Correct the types and the { "sql": … } expressions of the configuration; nothing was changed.',
  },
  object_missing: {
    exit: 'usage',
    section: 'mapping',
    meaning: 'A table, column or function that a statement names is missing.',
    hint:
      'Compare the tables and columns in keylift.config.json with the database: keylift check names all that are ' +
      'missing. If an object in the schema keylift was dropped, restore it.',
  },
  no_key_table: {
    exit: 'usage',
    section: 'mapping',
    meaning: 'init finds no table that looks like a table of API keys. The message lists the tables that exist.',
    hint: 'Write keylift.config.json by hand (README.md, Configuration), then run keylift check.',
  },
  config_exists: {
    exit: 'refused',
    section: 'mapping',
    meaning: 'init would overwrite a configuration or its notes.',
    hint: 'Pass --force to overwrite it, --config to name another file, or --dry-run to see what init would write.',
  },
  config_unwritable: {
    exit: 'usage',
    section: 'mapping',
    meaning: 'init cannot write the configuration or its notes.',
    hint: 'Name a file in a folder that exists and that you may write, with --config.',
  },
});
