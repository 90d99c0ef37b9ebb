import { quoteIdentifier } from '../../config/identifiers.js';
import type { Expression } from '../../config/settings.js';
import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { Note } from './note.js';

/** A revocation date in the future counts as dead at once (rule 5), which a platform may mean otherwise. */
export async function notesOnRevocations(session: ReadSession, schema: MappedSchema): Promise<Note[]> {
  const { revokedAt, expiresAt } = schema.settings.legacy.keys;
  if (revokedAt === null) return [];
  const { legacy: l } = schema;
  const { keys } = await session.one<{ keys: string }>(sql`
    SELECT count(*) AS keys
    FROM ${l.keys} k
    WHERE ${l.revokedAt()} > ${l.now} AND ${l.isPerApiKey()}`);
  if (keys === '0') return [];
  const mapping = JSON.stringify({ revokedAt: null, expiresAt: asExpiry(revokedAt, expiresAt) }).slice(1, -1);
  return [
    {
      at: 'legacy.keys.revokedAt',
      note:
        `${keys} per-API ${keys === '1' ? 'key has a revocation date' : 'keys have revocation dates'} in the future: ` +
        'keylift takes such a key for dead at once. If it opens its API until that date, map the date as an expiry: ' +
        mapping,
    },
  ];
}

/** The revocation date as an expiry; where there is an expiry already, the earlier of the two. */
function asExpiry(revokedAt: Expression, expiresAt: Expression | null): Expression {
  if (expiresAt === null) return revokedAt;
  const text = (value: Expression): string => (typeof value === 'string' ? `k.${quoted(value)}` : value.sql);
  return { sql: `least(${text(expiresAt)}, ${text(revokedAt)})` };
}

const quoted = (column: string): string => (/^[a-z_][a-z0-9_]*$/.test(column) ? column : quoteIdentifier(column));
