import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Rows of the key table that `where` keeps out: they are no per-API keys, and keylift never touches them. */
export interface Excluded {
  rows: number;
  /** Those among them that name no API: keys that belong to an account as a whole already, for example. */
  without_api: number;
}

/** Counts the rows that `where` keeps out. */
export const countExcluded = (l: LegacyFragments): string => sql`
  /* planning: counting the rows that where keeps out */
  SELECT count(*) AS rows, count(*) FILTER (WHERE ${l.api()} IS NULL) AS without_api
  FROM ${l.keys} k
  WHERE NOT ${l.isPerApiKey()}`;

/** The rows that `where` keeps out; undefined where the configuration has none. */
export async function readExcluded(
  session: ReadSession,
  { legacy: l, settings }: MappedSchema,
): Promise<Excluded | undefined> {
  if (settings.legacy.keys.where === null) return undefined;
  const { rows, without_api: withoutApi } = await session.one<Record<string, string>>(countExcluded(l));
  return { rows: Number(rows), without_api: Number(withoutApi) };
}
