import type { Copy } from '../arena.js';

/**
 * One full outer join over all fields: what comparing the two tables costs at least when nobody minds a long snapshot.
 */
export const outerJoin = (copy: Copy): Promise<number> =>
  copy.timed(`
    SELECT count(*) FILTER (WHERE k.id IS NULL) AS extra, count(*) FILTER (WHERE t.id IS NULL) AS missing,
      count(*) FILTER (WHERE (k.account_id, k.name, k.token, k.api_id, k.created_at, k.last_used_at, k.revoked_at,
        k.expires_at)
        IS DISTINCT FROM (t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.last_used_at, t.revoked_at,
          t.expires_at)) AS different
    FROM public.api_keys k FULL JOIN public.account_api_keys t ON t.id = k.id`);
