import type { Database } from '../database/connect.js';
import { keyliftError } from '../errors/keylift-error.js';
import { countReplicas } from '../stages/backfill/reasons.js';
import { askQuery } from '../stages/backfill/throttle-query.js';

/**
 * Before a run or a change: refuses a query that cannot answer. A query that is late, or that the server is too busy
 * for, makes the run wait instead. @throws `throttle_query_invalid`
 */
export async function checkQuery(url: string, query: string | null | undefined): Promise<void> {
  if (query == null) return;
  const answer = await askQuery(url, query);
  if ('fault' in answer && answer.invalid)
    throw keyliftError('throttle_query_invalid', { message: `the query of --throttle-query ${answer.fault}` });
}

/** Before a run: without a replica there is no lag, and the run would wait for ever. @throws `no_replica` */
export async function requireReplica(database: Database): Promise<void> {
  if ((await database.readOnly(countReplicas)) === 0)
    throw keyliftError('no_replica', { message: 'no replica is connected, so --max-lag has no lag to read' });
}
