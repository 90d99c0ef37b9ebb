import { UnreachableError, UsageError, type ErrorDetails, type KeyliftError } from '../errors.js';
import type { Where } from './address.js';
import { SQLSTATE, isDatabaseError, isPermission, networkCodeOf, sqlStateOf } from './sqlstate.js';

const CREDENTIALS = new Set<string>([SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization]);
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

/**
 * Why no session could be had, as the error that decides the exit code: the operator's mistake is a UsageError,
 * everything that time may heal an UnreachableError.
 */
export function connectFailure(error: unknown, where: Where, { timeoutMs }: { timeoutMs: number }): KeyliftError {
  const state = sqlStateOf(error);
  const facts = { ...where, ...(state === undefined ? {} : { sqlstate: state }) };
  if (CREDENTIALS.has(state ?? '')) return badCredentials({ where, error, facts });
  if (state === SQLSTATE.unknownDatabase) {
    return new UsageError(
      'database_unknown',
      `there is no database ${JSON.stringify(where.database)} at ${place(where)}`,
      { facts, cause: error, hint: 'Check the last part of the database URL.', anchor: 'database' },
    );
  }
  if (isPermission(error)) {
    return new UsageError(
      'connect_not_allowed',
      `${where.user} may not connect to database ${JSON.stringify(where.database)}`,
      { facts, cause: error, hint: `GRANT CONNECT ON DATABASE … TO ${where.user}, as its owner.`, anchor: 'database' },
    );
  }
  return withoutSession({ error, where, timeoutMs, facts });
}

interface Failure {
  error: unknown;
  where: Where;
  facts: Record<string, unknown>;
}

function badCredentials({ where, error, facts }: Failure): UsageError {
  const refused = sqlStateOf(error) === SQLSTATE.invalidPassword ? 'refused the password of' : 'does not let in';
  return new UsageError('credentials_refused', `${place(where)} ${refused} ${where.user}`, {
    facts,
    cause: error,
    hint: "Check user and password in the database URL, and the server's pg_hba.conf.",
    anchor: 'database',
  });
}

function withoutSession({ error, where, timeoutMs, facts }: Failure & { timeoutMs: number }): KeyliftError {
  const network = networkCodeOf(error);
  if (network !== undefined && TLS.test(network)) {
    return new UsageError('tls_refused', `the TLS certificate of ${place(where)} is not accepted`, {
      facts: { ...facts, tls: network },
      cause: error,
      hint: 'Check sslmode and sslrootcert in the database URL.',
      anchor: 'database',
    });
  }
  if (isMissingPassword(error)) {
    return new UsageError(
      'password_missing',
      `${place(where)} asks for a password for ${where.user}, and none was given`,
      { facts, cause: error, hint: 'Put the password into DATABASE_URL, or set PGPASSWORD.', anchor: 'database' },
    );
  }
  return unreachable({ error, where, timeoutMs, facts, network });
}

function unreachable({
  error,
  where,
  timeoutMs,
  facts,
  network,
}: Failure & { timeoutMs: number; network: string | undefined }) {
  const details: ErrorDetails = {
    facts: network === undefined ? facts : { ...facts, network },
    cause: error,
    hint: 'Check that the server runs and can be reached from here, then run the same command again.',
    anchor: 'database',
  };
  return new UnreachableError(
    'database_unreachable',
    `cannot reach the database at ${place(where)}: ${reason(error, { network, timeoutMs })}`,
    details,
  );
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ECONNRESET: 'the connection was reset',
};

function reason(error: unknown, { network, timeoutMs }: { network: string | undefined; timeoutMs: number }): string {
  if (isDatabaseError(error)) return error.message;
  if (network !== undefined) return REASONS[network] ?? network;
  if (isOwnTimeout(error)) return `no answer within ${String(timeoutMs / 1000)} s`;
  return error instanceof Error && error.message !== '' ? error.message : 'no connection';
}

/** pg gives its timeouts and its missing password no code, so these three are known by their words. */
function isOwnTimeout(error: unknown): boolean {
  return error instanceof Error && /^(timeout expired|Query read timeout)$/.test(error.message);
}

function isMissingPassword(error: unknown): boolean {
  return error instanceof Error && /client password must be a (non-empty )?string/.test(error.message);
}

/** `host:port`, or the socket's directory. */
export function place({ host, port }: Where): string {
  return host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

/** The session ended under us. What it was doing is rolled back, or is in the ledger. */
export function connectionLost(error: unknown, where: Where): UnreachableError {
  const code = sqlStateOf(error) ?? networkCodeOf(error);
  return new UnreachableError('connection_lost', `lost the connection to the database at ${place(where)}`, {
    facts: code === undefined ? {} : { [sqlStateOf(error) === undefined ? 'network' : 'sqlstate']: code },
    cause: error,
    hint: 'Run the same command again: it goes on where it stopped.',
    anchor: 'database',
  });
}

/** Nobody answers any more, and nothing says so: what was asked is done, or rolled back, or never arrived. */
export const databaseSilent = (where: Where, seconds: number): UnreachableError =>
  new UnreachableError(
    'database_silent',
    `the database at ${place(where)} has given no answer for ${String(seconds)} s`,
    {
      hint: 'Check the network between here and the server, then run the same command again: it goes on where it stopped.',
      anchor: 'database',
    },
  );

/** The server is there and not at work for us, while we wait: something between us lost the connection and told nobody. */
export const sessionForgotten = (where: Where): UnreachableError =>
  new UnreachableError(
    'connection_lost',
    `lost the connection to the database at ${place(where)}: the server is not at work on what was asked, and no answer came`,
    {
      hint: 'Check what stands between here and the server (a pooler, a balancer, a firewall), then run the same command again: it goes on where it stopped.',
      anchor: 'database',
    },
  );

/** Is it about the connection, so that another one may help? */
export const isLoss = (error: unknown): boolean =>
  error instanceof UnreachableError && (error.code === 'connection_lost' || error.code === 'database_unreachable');
