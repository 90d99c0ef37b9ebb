import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { isDatabaseError } from '../database/sqlstate.js';
import type { ListedId, ListFaults } from '../files/id-list.js';

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
 * Finds the ids of a list that do not exist: `line 3: no account 99`. Ids are sent as one array parameter. An id that is
 * neither a number nor a uuid is not repeated, and not even sent where the type has none: it could be a token.
 */
export async function findUnknownIds(
  session: ReadSession,
  listed: readonly ListedId[],
  { known, faults }: { known: KnownIn; faults: ListFaults },
): Promise<void> {
  const pattern = PATTERNS[known.type];
  const possible = pattern === undefined ? listed : listed.filter(({ id }) => pattern.test(id));
  const ids = possible.map(({ id }) => id);
  const missing = ids.length === 0 ? new Set<string>() : await missingIds(session, ids, known);
  for (const { id, line } of listed)
    if (pattern?.test(id) === false || missing.has(id)) faults.add(line, `no ${known.what} ${named(id)}`);
}

const named = (id: string): string =>
  /^-?\d{1,40}$/.test(id) || PATTERNS.uuid!.test(id) ? JSON.stringify(id) : 'has this id';

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
