/**
 * For every connection: the system asks the other end after ten idle seconds, and again each second, so that a path
 * that died is noticed while a long statement runs. What stands between and answers for a server that is gone is not
 * noticed by this: see pulse.ts.
 */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;
