import type { Database } from '../database/connect.js';
import { sql } from '../database/sql.js';

/** The rows of repeated tokens as the last proof expects them, for the chunks that it reads afterwards. */
export const PROOF_DUPLICATES = 'keylift.proof_duplicates';

export const FORGET_DUPLICATES = `DELETE FROM ${PROOF_DUPLICATES}`;

/** Lists what `select` answers: (key_id, keeper_id, expected, reason, opened). */
export const listDuplicates = (select: string): string => sql`
  /* listing the duplicates for a proof */
  INSERT INTO ${PROOF_DUPLICATES} (key_id, keeper_id, expected, reason, opened)
  ${select}
  -- An id that is in the legacy table and in the archive: the chunks report it.
  ON CONFLICT DO NOTHING`;

/** Replaces them by what `select` answers. */
export async function replaceProofDuplicates(database: Database, select: string): Promise<void> {
  await database.transaction(
    async (session) => {
      // With less, an index scan for many tokens would keep pages instead of rows, and compare each row of them with all
      // tokens.
      await session.query(`SET LOCAL work_mem = '64MB'`);
      await session.query(FORGET_DUPLICATES);
      await session.query(listDuplicates(select));
    },
    { name: 'verify: list the duplicates' },
  );
}
