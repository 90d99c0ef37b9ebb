import { entries } from '../entry.js';

/** The database cannot be reached, refuses keylift, or has no capacity. */
export const DATABASE_CODES = entries({
  database_url_missing: {
    exit: 'usage',
    section: 'database',
    meaning: 'Neither DATABASE_URL nor --database-url is given.',
    hint: 'Set DATABASE_URL to postgres://user:password@host:5432/database, or pass --database-url.',
  },
  database_url_invalid: {
    exit: 'usage',
    section: 'database',
    meaning: 'keylift cannot parse the database URL. The message does not repeat it, because it may hold a password.',
    hint: 'Write postgres://user:password@host:5432/database, special characters percent-encoded (/ is %2F, # is %23).',
  },
  credentials_refused: {
    exit: 'usage',
    section: 'database',
    meaning: 'The server refuses the user or the password, or pg_hba.conf has no line that admits them.',
    hint: "Check user and password in the database URL, and the server's pg_hba.conf.",
  },
  password_missing: {
    exit: 'usage',
    section: 'database',
    meaning: 'The server requires a password and keylift has none.',
    hint: 'Put the password into DATABASE_URL, or set PGPASSWORD.',
  },
  connect_not_allowed: {
    exit: 'usage',
    section: 'database',
    meaning: 'The role may not connect to this database.',
    hint: 'As the owner of the database: GRANT CONNECT ON DATABASE … TO the role.',
  },
  database_unknown: {
    exit: 'usage',
    section: 'database',
    meaning: 'The server has no database of this name.',
    hint: 'Check the last part of the database URL.',
  },
  tls_refused: {
    exit: 'usage',
    section: 'database',
    meaning: "The server's TLS certificate is not accepted.",
    hint: 'Check sslmode and sslrootcert in the database URL.',
  },
  permission_denied: {
    exit: 'refused',
    section: 'database',
    meaning: 'The role lacks a right. The runbook section Roles lists what each role needs.',
    hint: 'Grant the role of the database URL what the message names.',
  },
  database_read_only: {
    exit: 'refused',
    section: 'database',
    meaning: 'The server is a standby, or the role or the database is read-only.',
    hint: 'Connect to the primary, with a role that may write.',
  },
  database_unreachable: {
    exit: 'unreachable',
    section: 'database',
    meaning: 'No server listens at the address, or it gives no answer within 10 s.',
    hint: 'Check that the server runs and can be reached from here, then run the same command again.',
  },
  connection_lost: {
    exit: 'unreachable',
    section: 'database',
    meaning:
      'The session ended while the command ran, or the server is not working on the statement and no answer comes. ' +
      'keylift reconnected for about 20 s without lasting success.',
    hint: 'Run the same command again: it continues where it stopped.',
  },
  database_silent: {
    exit: 'unreachable',
    section: 'database',
    meaning:
      "The network delivered nothing for as long as the run's lease lasts (20 s), or for 30 s where a command takes no " +
      'lease. A statement that the server is working on may take any time.',
    hint: 'Check the network between here and the server, then run the same command again: it continues where it stopped.',
  },
  database_busy: {
    exit: 'unreachable',
    section: 'database',
    meaning: 'Locks, timeouts or a lack of connection slots lasted longer than all retries.',
    hint: 'Run the same command again when there is less load: it continues where it stopped.',
  },
  disk_full: {
    exit: 'unreachable',
    section: 'disk-full',
    meaning: 'PostgreSQL cannot extend a file (SQLSTATE 53100). Uncommitted work is rolled back.',
    hint: 'Free disk space on the server, then run the same command again: it continues where it stopped.',
  },
  temporary_tables: {
    exit: 'refused',
    section: 'temporary-tables',
    meaning: 'A replay or a probe needs a temporary table, and the role or the server cannot create one.',
    hint: 'GRANT TEMPORARY ON DATABASE … TO the role, or connect to the primary if this is a replica.',
  },
});
