import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { isDatabaseError } from '../database/sqlstate.js';
import type { ListedId } from './id-list.js';

/** Where ids are looked up: a table, its alias, the id's expression over it, and its PostgreSQL type. */
export interface KnownIn {
  what: string;
  from: string;
  id: string;
  type: string;
}

const PATTERNS: Record<string, RegExp> = {
  smallint: /^-?\d{1,5}$/,
  integer: /^-?\d{1,10}$/,
  bigint: /^-?\d{1,19}$/,
  uuid: /^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i,
};

/**
 * Faults of a list whose ids must exist: `line 3: no account 99`. Ids travel as one array parameter. What is no number and
 * no uuid is not repeated, and of a type that has others is not even sent: somebody may have listed tokens.
 */
export async function unknownIds(session: ReadSession, listed: readonly ListedId[], known: KnownIn): Promise<string[]> {
  const pattern = PATTERNS[known.type];
  const fault = ({ id, line }: ListedId): string =>
    `line ${String(line)}: no ${known.what} ${/^-?\d{1,40}$/.test(id) || PATTERNS.uuid!.test(id) ? JSON.stringify(id) : 'has this id'}`;
  const possible = pattern === undefined ? listed : listed.filter(({ id }) => pattern.test(id));
  if (possible.length === 0) return listed.map(fault);
  const missing = await missingIds(
    session,
    possible.map(({ id }) => id),
    known,
  );
  return listed.filter(({ id }) => pattern?.test(id) === false || missing.has(id)).map(fault);
}

/** Those of the ids $1 that do not exist. */
export const idsNotIn = ({ from, id, type }: Omit<KnownIn, 'what'>): string => sql`
  SELECT given.id
  FROM unnest($1::text[]) AS given (id)
  WHERE NOT EXISTS (SELECT FROM ${from} WHERE ${id} = given.id::${type})`;

async function missingIds(session: ReadSession, ids: string[], known: KnownIn): Promise<Set<string>> {
  try {
    const { rows } = await session.query<{ id: string }>(idsNotIn(known), [ids]);
    return new Set(rows.map((row) => row.id));
  } catch (error) {
    // A number out of range, no value of the type, or a character that the database's encoding lacks: no such id exists.
    if (isDatabaseError(error) && ['22003', '22P02', '22P05'].includes(error.code ?? '')) return new Set(ids);
    throw error;
  }
}
