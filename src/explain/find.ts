import type { Database } from '../database/connect.js';
import { sqlStateOf } from '../database/sqlstate.js';
import { isValueOf } from '../proof/replay/decision.js';
import { findByFingerprint, findById } from './statements.js';
import type { Scene } from './scene.js';

/** Keys told at once: a fingerprint is of a token, and a token may be repeated. */
export const MOST_KEYS = 20;

export interface Found {
  /** Ids as text, in the ids' own order. */
  ids: string[];
  more: boolean;
}

/**
 * Keys meant by a word: the one with this id, else those with this fingerprint. The latter reads every key and
 * hashes it, as no index holds a hash; at most `MOST_KEYS` are told.
 */
export async function findKeys(database: Database, scene: Scene, word: string): Promise<Found> {
  const byId = await byItsId(database, scene, word);
  if (byId.length > 0 || !/^[0-9a-f]{12}$/i.test(word)) return { ids: byId, more: false };
  const { rows } = await database.readOnly((session) =>
    session.query<{ id: string }>(findByFingerprint(scene), [word.toLowerCase(), MOST_KEYS + 1]),
  );
  return { ids: rows.slice(0, MOST_KEYS).map((row) => row.id), more: rows.length > MOST_KEYS };
}

/**
 * A word that is no value of the id's type is no id, and is not sent: it may be a token, and stand in the server's log. What
 * is left for PostgreSQL to refuse ends a transaction of its own.
 */
async function byItsId(database: Database, scene: Scene, word: string): Promise<string[]> {
  if (!isValueOf(scene.schema.types.id, word)) return [];
  try {
    const { rows } = await database.readOnly((session) => session.query<{ id: string }>(findById(scene), [word]));
    return rows.map((row) => row.id);
  } catch (error) {
    if (sqlStateOf(error)?.startsWith('22') === true) return [];
    throw error;
  }
}
