import type { Database } from '../database/connect.js';
import { sqlStateOf } from '../database/sqlstate.js';
import { isValueOf } from '../proof/replay/decision.js';
import { findByFingerprint, findById } from './statements.js';
import type { Sources } from './sources.js';

/** Several keys can have one fingerprint, because they can have one token. */
const MOST_KEYS = 20;

export interface FoundKeys {
  /** Ids as text, in the order of the ids. */
  ids: string[];
  more: boolean;
}

/**
 * The key with this id, else the keys with this fingerprint, at most `MOST_KEYS`. A search by fingerprint reads and
 * hashes every key, because no index holds a hash.
 */
export async function findKeys(database: Database, sources: Sources, given: string): Promise<FoundKeys> {
  const byId = await findByItsId(database, sources, given);
  if (byId.length > 0 || !/^[0-9a-f]{12}$/i.test(given)) return { ids: byId, more: false };
  const { rows } = await database.readOnly((session) =>
    session.query<{ id: string }>(findByFingerprint(sources), [given.toLowerCase(), MOST_KEYS + 1]),
  );
  return { ids: rows.slice(0, MOST_KEYS).map((row) => row.id), more: rows.length > MOST_KEYS };
}

/**
 * A text that is no value of the id's type is not sent to the server: it may be a token, and the server may log it. The
 * query has its own transaction, because PostgreSQL may still refuse the value.
 */
async function findByItsId(database: Database, sources: Sources, given: string): Promise<string[]> {
  if (!isValueOf(sources.schema.types.id, given)) return [];
  try {
    const { rows } = await database.readOnly((session) => session.query<{ id: string }>(findById(sources), [given]));
    return rows.map((row) => row.id);
  } catch (error) {
    if (sqlStateOf(error)?.startsWith('22') === true) return [];
    throw error;
  }
}
