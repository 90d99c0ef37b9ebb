import { Readable } from 'node:stream';
import { copyField } from '../../database/copy-field.js';
import type { Database } from '../../database/connect.js';
import { sql } from '../../database/sql.js';
import { withTemporaryRows } from '../../database/temporary-rows.js';
import { isSwitched } from '../../resolver/cohort.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { isValueOf } from '../replay/decision.js';
import { findSources, type Sources } from '../replay/sources.js';
import type { PlannedRequest } from './plan.js';

/** What the database knows of a canary key. */
export interface Side {
  key_id: string;
  fingerprint: string | null;
  /** Is it answered from Settings now? */
  switched: boolean;
}

/**
 * Looks up the canary keys, by id where one is given, else by token: who they are, and which side of the switch they
 * are on. A key that stays, is held or is an exception is never on the other side. Null for one that does not exist.
 *
 * @throws `temporary_tables`
 */
export async function sidesOf(
  database: Database,
  schema: MappedSchema,
  requests: readonly Pick<PlannedRequest, 'token' | 'keyId'>[],
): Promise<(Side | null)[]> {
  const lines = requests.map(({ token, keyId }, at) =>
    [
      String(at + 1),
      keyId === null && !schema.types.tokenIsBytes ? token : null,
      keyId !== null && isValueOf(schema.types.id, keyId) ? keyId : null,
    ]
      .map(copyField)
      .join('\t'),
  );
  const canaries = {
    table: 'keylift_canaries',
    columns: { place: 'integer', token: 'text', key_id: 'text' },
    rows: Readable.from([`${lines.join('\n')}\n`]),
  };
  const { rows } = await withTemporaryRows(
    database,
    canaries,
    async (session) => session.query<Side & { place: number }>(findCanaries(await findSources(session, schema))),
    { name: 'probe: look the keys up' },
  );
  const found = new Map(rows.map(({ place, ...side }) => [place, side]));
  return requests.map((_, at) => found.get(at + 1) ?? null);
}

/** One row `(place, key_id, fingerprint, switched)` for each canary found. */
function findCanaries({ schema: { legacy: l, types }, target, accountKeys }: Sources): string {
  const switched = accountKeys ? isSwitched('t.account_id', '(SELECT r.cohorts FROM keylift.switch_rule r)') : 'false';
  const perApi = (condition: string): string => sql`
    SELECT ${l.id()}::text AS key_id, ${fingerprintOf(l.token(), types)} AS fingerprint, false AS switched,
      3 AS rank, ${l.createdAt()}::text AS created
    FROM ${l.keys} k
    WHERE ${l.isPerApiKey()} AND ${condition}`;
  const account = (id: string, { rank, rows }: { rank: number; rows: string }): string => sql`
    SELECT ${id}::text, ${fingerprintOf('t.token', types)}, (t.origin_api_id IS NULL OR ${switched}), ${rank}, NULL
    FROM ${rows}`;
  // An account key that stands for the token comes before the row it stands for; a merged row has one of another id.
  const places = [
    perApi(`${l.id()} = g.key_id::${types.id}`),
    perApi(`${l.token()} = g.token::${types.token}`),
    ...(target
      ? [
          account('t.id', { rank: 1, rows: `${l.target} t WHERE t.id = g.key_id::${types.id}` }),
          account('t.id', { rank: 1, rows: `${l.target} t WHERE t.token = g.token::${types.token}` }),
          account('x.key_id', {
            rank: 2,
            rows: sql`
              keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
              WHERE x.outcome = 'merge' AND x.key_id = g.key_id::${types.id}`,
          }),
        ]
      : []),
  ];
  return sql`
    SELECT DISTINCT ON (g.place) g.place::integer AS place, f.key_id, f.fingerprint, f.switched
    FROM pg_temp.keylift_canaries g
    CROSS JOIN LATERAL (
      ${places.join('\nUNION ALL\n')}
    ) f
    ORDER BY g.place, f.rank, f.created, f.key_id`;
}
