import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import type { Holds } from '../../ledger/holds.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** The holds that a plan was made with: their numbers, and a digest of their ids. */
export interface HoldsSummary {
  keys: number;
  accounts: number;
  sha256: string;
}

/** Ids are compared as PostgreSQL writes them: a file may write the same uuid in another way. */
export async function summaryOfHolds(
  session: ReadSession,
  { types }: MappedSchema,
  { keyIds, accountIds }: Holds,
): Promise<HoldsSummary> {
  const { keys, accounts, sha256 } = await session.one<{ keys: string; accounts: string; sha256: string }>(
    sql`
      WITH held (kind, id) AS (
        SELECT 'key', id::${types.id}::text COLLATE "C" FROM unnest($1::text[]) AS given (id)
        UNION
        SELECT 'account', id::${types.account}::text COLLATE "C" FROM unnest($2::text[]) AS given (id)
      )
      SELECT count(*) FILTER (WHERE kind = 'key') AS keys, count(*) FILTER (WHERE kind = 'account') AS accounts,
        encode(sha256(convert_to(coalesce(string_agg(kind || ' ' || id, E'\n' ORDER BY kind, id), ''), 'UTF8')), 'hex')
          AS sha256
      FROM held`,
    [keyIds, accountIds],
  );
  return { keys: Number(keys), accounts: Number(accounts), sha256 };
}
