import { hasCode, keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { Where } from './address.js';
import { SQLSTATE, isDatabaseError, isPermission, networkCodeOf, sqlStateOf } from './sqlstate.js';

const CREDENTIALS = new Set<string>([SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization]);
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

/**
 * The error for a failed connect. A mistake of the operator exits 2; a failure that a later try may not meet exits 5.
 */
export function connectFailure(error: unknown, where: Where, { timeoutMs }: { timeoutMs: number }): KeyliftError {
  const state = sqlStateOf(error);
  const facts = { ...where, ...(state === undefined ? {} : { sqlstate: state }) };
  if (CREDENTIALS.has(state ?? '')) return badCredentials({ where, error, facts });
  if (state === SQLSTATE.unknownDatabase) {
    return keyliftError('database_unknown', {
      message: `there is no database ${JSON.stringify(where.database)} at ${place(where)}`,
      facts,
      cause: error,
    });
  }
  if (isPermission(error)) {
    return keyliftError('connect_not_allowed', {
      message: `${where.user} may not connect to database ${JSON.stringify(where.database)}`,
      facts,
      cause: error,
      hint: `As the owner of the database: GRANT CONNECT ON DATABASE … TO ${where.user}.`,
    });
  }
  return withoutSession({ error, where, timeoutMs, facts });
}

interface Failure {
  error: unknown;
  where: Where;
  facts: Record<string, unknown>;
}

function badCredentials({ where, error, facts }: Failure): KeyliftError {
  const refused = sqlStateOf(error) === SQLSTATE.invalidPassword ? 'refused the password of' : 'does not admit';
  return keyliftError('credentials_refused', {
    message: `${place(where)} ${refused} ${where.user}`,
    facts,
    cause: error,
  });
}

function withoutSession({ error, where, timeoutMs, facts }: Failure & { timeoutMs: number }): KeyliftError {
  const network = networkCodeOf(error);
  if (network !== undefined && TLS.test(network)) {
    return keyliftError('tls_refused', {
      message: `the TLS certificate of ${place(where)} is not accepted`,
      facts: { ...facts, tls: network },
      cause: error,
    });
  }
  if (isMissingPassword(error)) {
    return keyliftError('password_missing', {
      message: `${place(where)} asks for a password for ${where.user}, and none is given`,
      facts,
      cause: error,
    });
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
  return keyliftError('database_unreachable', {
    message: `cannot reach the database at ${place(where)}: ${reason(error, { network, timeoutMs })}`,
    facts: network === undefined ? facts : { ...facts, network },
    cause: error,
  });
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'no server listens there',
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

/** pg has no code for its timeouts and for a missing password, so their messages identify them. */
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

/** The session ended while a command used it. Its work is rolled back, or it is in the ledger. */
export function connectionLost(error: unknown, where: Where): KeyliftError {
  const code = sqlStateOf(error) ?? networkCodeOf(error);
  return keyliftError('connection_lost', {
    message: `lost the connection to the database at ${place(where)}`,
    facts: code === undefined ? {} : { [sqlStateOf(error) === undefined ? 'network' : 'sqlstate']: code },
    cause: error,
  });
}

/** No answer comes, and no error either: the statement is done, or rolled back, or never arrived. */
export const databaseSilent = (where: Where, seconds: number): KeyliftError =>
  keyliftError('database_silent', {
    message: `the database at ${place(where)} has given no answer for ${String(seconds)} s`,
  });

/** The server answers others and does not work on the statement: a device between lost the connection silently. */
export const sessionForgotten = (where: Where): KeyliftError =>
  keyliftError('connection_lost', {
    message: `lost the connection to the database at ${place(where)}: the server is not working on the statement, and no answer came`,
    hint: 'Check what is between here and the server (a pooler, a load balancer, a firewall), then run the same command again: it continues where it stopped.',
  });

/** True if a new connection may help. */
export const isLoss = (error: unknown): boolean => hasCode(error, 'connection_lost', 'database_unreachable');
