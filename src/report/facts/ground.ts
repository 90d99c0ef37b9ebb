import type { ReadSession } from '../../database/session.js';
import { withArchive } from '../../mapping/archive.js';
import { isSwitched } from '../../resolver/cohort.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** What there is to read: half an expand has a ledger and no table yet. */
export interface Ground {
  /** Its keys are the legacy table, and the archive where there is one. */
  schema: MappedSchema;
  target: boolean;
  attempt: number;
}

export async function groundOf(session: ReadSession, mapped: MappedSchema, attempt: number): Promise<Ground> {
  const { target } = await session.one<{ target: boolean }>('SELECT to_regclass($1) IS NOT NULL AS target', [
    mapped.legacy.target,
  ]);
  return { schema: await withArchive(session, mapped), target, attempt };
}

export async function countAccounts(
  session: ReadSession,
  { schema: { legacy: l } }: Ground,
): Promise<{ total: number; switched: number }> {
  const row = await session.one<{ total: string; switched: string }>(`
    SELECT count(*) AS total, count(*) FILTER (WHERE ${isSwitched(l.accountId(), '(SELECT cohorts FROM keylift.switch_rule)')}) AS switched
    FROM ${l.accounts} o`);
  return { total: Number(row.total), switched: Number(row.switched) };
}
