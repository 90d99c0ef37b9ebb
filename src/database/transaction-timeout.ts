/** `transaction`: until the transaction ends. `session`: until the connection ends; not behind a pooler. */
type Extent = 'transaction' | 'session';

/**
 * Lifts `transaction_timeout`, which a database or a role may set from PostgreSQL 17 on. The limit is meant for the
 * platform's transactions, and it ends the connection. Older servers do not know the parameter, so they are not given it.
 */
export const liftTransactionTimeout = (extent: Extent): string =>
  `SELECT pg_catalog.set_config('transaction_timeout', '0', ${String(extent === 'transaction')})
     WHERE pg_catalog.current_setting('server_version_num')::int >= 170000`;
