/** A living key not used for this long, or never, is dormant: widening it serves nobody. */
export const DORMANT_AFTER = '90 days';

/** SQL: the moment before which a last use makes a key dormant. */
export const DORMANT_SINCE = `now() - interval '${DORMANT_AFTER}'`;

/** Was a key last used before this moment, or never? */
export const dormant = (lastUsedAt: string, since: string): string => `coalesce(${lastUsedAt} < ${since}, true)`;
