import pg from 'pg';

/** The SQLSTATEs keylift decides by. Everything else passes through as the server said it. */
export const SQLSTATE = {
  invalidPassword: '28P01',
  invalidAuthorization: '28000',
  unknownDatabase: '3D000',
  protocolViolation: '08P01',
  uniqueViolation: '23505',
  foreignKeyViolation: '23503',
  notNullViolation: '23502',
  checkViolation: '23514',
  readOnlyTransaction: '25006',
  idleInTransactionTimeout: '25P03',
  transactionTimeout: '25P04',
  serializationFailure: '40001',
  deadlock: '40P01',
  permissionDenied: '42501',
  undefinedTable: '42P01',
  undefinedColumn: '42703',
  duplicateTable: '42P07',
  invalidSchema: '3F000',
  diskFull: '53100',
  tooManyConnections: '53300',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  cannotConnectNow: '57P03',
  databaseDropped: '57P04',
  idleSessionTimeout: '57P05',
  /** keylift's own: the last step of finalize found keys that must leave in a page. */
  lateKeys: 'KL001',
} as const;

const RETRYABLE = new Set<string>([SQLSTATE.serializationFailure, SQLSTATE.deadlock, SQLSTATE.lockNotAvailable]);
const MISSING = new Set<string>([SQLSTATE.undefinedTable, SQLSTATE.undefinedColumn, SQLSTATE.invalidSchema]);
const LOST = new Set<string>([
  SQLSTATE.idleInTransactionTimeout,
  SQLSTATE.transactionTimeout,
  SQLSTATE.adminShutdown,
  SQLSTATE.crashShutdown,
  SQLSTATE.cannotConnectNow,
  SQLSTATE.databaseDropped,
  SQLSTATE.idleSessionTimeout,
]);
const NETWORK = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** True for what the server itself reported; it has a SQLSTATE. */
export function isDatabaseError(error: unknown): error is pg.DatabaseError {
  if (error instanceof pg.DatabaseError) return true;
  // Another copy of pg (knex may bring one) has another class; EPIPE looks like a SQLSTATE, so ask for severity.
  return error instanceof Error && 'severity' in error && 'code' in error;
}

/** The server's SQLSTATE, or undefined when the error did not come from the server. */
export function sqlStateOf(error: unknown): string | undefined {
  return isDatabaseError(error) ? error.code : undefined;
}

/** The code of a failed system or network call (`ECONNREFUSED`), or undefined. */
export function networkCodeOf(error: unknown): string | undefined {
  if (isDatabaseError(error) || !(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Worth doing again at once: serialization failure, deadlock, lock timeout. */
export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(sqlStateOf(error) ?? '');
}

/** The statement was cancelled: statement_timeout, or somebody's pg_cancel_backend. */
export function isTimeout(error: unknown): boolean {
  return sqlStateOf(error) === SQLSTATE.queryCanceled;
}

/** A table, column or schema that does not exist. */
export function isMissingObject(error: unknown): boolean {
  return MISSING.has(sqlStateOf(error) ?? '');
}

export function isPermission(error: unknown): boolean {
  return sqlStateOf(error) === SQLSTATE.permissionDenied;
}

/** Nothing can be written: a replica, or a transaction or role that only reads. */
export function isReadOnly(error: unknown): boolean {
  return sqlStateOf(error) === SQLSTATE.readOnlyTransaction;
}

/** The session is gone, by the server's word or by the network's. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === undefined) return NETWORK.has(networkCodeOf(error) ?? '');
  if (LOST.has(state)) return true;
  // 08P01 is also what a wrong number of bound values gets; only a fatal one (PgBouncer's) ends the session.
  if (state === SQLSTATE.protocolViolation) return isFatal(error);
  return state.startsWith('08') || isFatal(error);
}

function isFatal(error: unknown): boolean {
  return isDatabaseError(error) && (error.severity === 'FATAL' || error.severity === 'PANIC');
}
