import { Readable } from 'node:stream';
import { copyField } from '../../database/copy-field.js';
import type { WriteSession } from '../../database/session.js';
import { isSwitched } from '../../resolver/cohort.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { isValueOf } from '../replay/decision.js';
import { findGround, type Ground } from '../replay/ground.js';
import { makeTemporary } from '../temporary.js';
import type { PlannedRequest } from './plan.js';

/** What the database knows of a canary key. */
export interface Side {
  key_id: string;
  fingerprint: string | null;
  /** Is it answered from Settings now? */
  switched: boolean;
}

const MAKE_CANARIES = 'keylift_canaries (place integer, token text, key_id text)';
const COPY_CANARIES = 'COPY pg_temp.keylift_canaries (place, token, key_id) FROM STDIN';

/**
 * Looks up the canary keys, by id where one is given, else by token: who they are, and which side of the switch they
 * are on. A key that stays, is held or is an exception is never on the other side. Null for one that is not there.
 *
 * @throws `temporary_tables`
 */
export async function sidesOf(
  session: WriteSession,
  schema: MappedSchema,
  requests: readonly Pick<PlannedRequest, 'token' | 'keyId'>[],
): Promise<(Side | null)[]> {
  const ground = await findGround(session, schema);
  const lines = requests.map(({ token, keyId }, at) =>
    [
      String(at + 1),
      keyId === null && !schema.types.tokenIsBytes ? token : null,
      keyId !== null && isValueOf(schema.types.id, keyId) ? keyId : null,
    ]
      .map(copyField)
      .join('\t'),
  );
  await makeTemporary(session, MAKE_CANARIES);
  await session.copyIn(COPY_CANARIES, Readable.from([`${lines.join('\n')}\n`]));
  const { rows } = await session.query<Side & { place: number }>(findCanaries(ground));
  const found = new Map(rows.map(({ place, ...side }) => [place, side]));
  return requests.map((_, at) => found.get(at + 1) ?? null);
}

/** One row `(place, key_id, fingerprint, switched)` for each canary found. */
function findCanaries({ schema: { legacy: l, types }, target, accountKeys }: Ground): string {
  const switched = `(t.origin_api_id IS NULL OR ${accountKeys ? isSwitched('t.account_id', '(SELECT r.cohorts FROM keylift.switch_rule r)') : 'false'})`;
  const perApi = `SELECT ${l.id()}::text AS key_id, ${fingerprintOf(l.token(), types)} AS fingerprint, false AS switched, 3 AS rank, ${l.createdAt()}::text AS created
      FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND`;
  const account = (id: string): string => `SELECT ${id}::text, ${fingerprintOf('t.token', types)}, ${switched},`;
  // An account key that stands for the token comes before the row it stands for; a merged row has one of another id.
  const places = [
    `${perApi} ${l.id()} = g.key_id::${types.id}`,
    `${perApi} ${l.token()} = g.token::${types.token}`,
    ...(target
      ? [
          `${account('t.id')} 1, NULL FROM ${l.target} t WHERE t.id = g.key_id::${types.id}`,
          `${account('t.id')} 1, NULL FROM ${l.target} t WHERE t.token = g.token::${types.token}`,
          `${account('x.key_id')} 2, NULL FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
            WHERE x.outcome = 'merge' AND x.key_id = g.key_id::${types.id}`,
        ]
      : []),
  ];
  return `
    SELECT DISTINCT ON (g.place) g.place::integer AS place, f.key_id, f.fingerprint, f.switched
    FROM pg_temp.keylift_canaries g CROSS JOIN LATERAL (${places.join(' UNION ALL ')}) f
    ORDER BY g.place, f.rank, f.created, f.key_id`;
}
