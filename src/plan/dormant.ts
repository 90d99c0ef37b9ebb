/** A living key not used for this long, or never, is dormant: its owner gains nothing from a wider scope. */
export const DORMANT_AFTER = '90 days';

/** Was the key of a row last used before that, or never? The subquery is evaluated once, and not for each row. */
export const dormant = (lastUsedAt: string): string =>
  `coalesce(${lastUsedAt} < (SELECT now() - interval '${DORMANT_AFTER}'), true)`;
