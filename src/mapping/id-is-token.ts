import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from './inspect.js';
import type { MappingFault } from './mapping-fault.js';

/** Rows that are looked at: ids that are tokens are so by the rule of the platform, and not in a single row. */
const SAMPLE = 1000;

/**
 * Is the id of a key its token, or does the token only disguise it (another case, a digest)? Numbers may be equal by
 * chance in a row or two, so they count only where every row has them.
 */
export const idsAreTokens = ({ legacy: l, types }: MappedSchema): string => {
  const token = types.tokenIsBytes ? "encode(s.token, 'hex')" : 's.token::text';
  const id = 'convert_to(s.id::text, getdatabaseencoding())';
  const decided = types.idIsInteger ? 'bool_and(hit) AND count(*) > 1' : 'bool_or(hit)';
  return sql`
    /* looking whether ids are tokens */
    SELECT coalesce(${decided}, false) AS tokens
    FROM (
      SELECT ${l.id()} AS id, ${l.token()} AS token
      FROM ${l.keys} k
      WHERE ${l.hasToken()}
      LIMIT ${SAMPLE}
    ) s
      CROSS JOIN LATERAL (
        SELECT lower(${token} COLLATE "default") IN (
          lower(s.id::text COLLATE "default"),
          encode(${id}, 'hex'),
          md5(${id}),
          encode(sha256(${id}), 'hex'))
      ) one (hit)`;
};

/** Ids stand in every report, in the ledger and in logs, where no token may stand. */
export async function idFaults(session: ReadSession, schema: MappedSchema): Promise<MappingFault[]> {
  const { tokens } = await session.one<{ tokens: boolean }>(idsAreTokens(schema));
  if (!tokens) return [];
  return [
    {
      at: 'legacy.keys.id',
      kind: 'type',
      problem: 'is the token, or the token is made from it alone; ids stand in every report, so keys need another one',
      didYouMean: null,
    },
  ];
}
