import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import type { Installed } from '../../ledger/installed.js';
import { withArchive } from '../../mapping/archive.js';
import { isSwitched } from '../../resolver/cohort.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** What a report can read. An interrupted expand leaves a ledger without a new table. */
export interface Sources {
  /** Its keys are the legacy table, together with the archive where there is one. */
  schema: MappedSchema;
  /** True if the new table exists. */
  target: boolean;
  attempt: number;
}

/** Finds out what a report of this attempt can read. */
export async function sourcesOf(
  session: ReadSession,
  mapped: MappedSchema,
  { installed, attempt }: { installed: Installed; attempt: number },
): Promise<Sources> {
  return { schema: await withArchive(session, mapped, installed), target: installed.target, attempt };
}

/** All accounts, and those that are answered from Settings. */
export async function countAccounts(
  session: ReadSession,
  { schema: { legacy: l } }: Sources,
): Promise<{ total: number; switched: number }> {
  const switched = isSwitched(l.accountId(), '(SELECT cohorts FROM keylift.switch_rule)');
  const row = await session.one<{ total: string; switched: string }>(sql`
    SELECT count(*) AS total, count(*) FILTER (WHERE ${switched}) AS switched
    FROM ${l.accounts} o`);
  return { total: Number(row.total), switched: Number(row.switched) };
}
