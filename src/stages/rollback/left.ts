import type { Database } from '../../database/connect.js';
import type { WriteSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { readInstalled } from '../../ledger/installed.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { forgetOutcomes, LEFT_KEYS, makeNative } from './left-statements.js';
import type { ArchivedRow } from './statements.js';

/** A per-API key that the legacy table no longer accepts. Its account key stays, as a native key. */
export interface LeftKey {
  key_id: string;
  reason: 'missing_api' | 'missing_account' | 'duplicate' | 'check' | 'not_null' | 'foreign_key' | 'value';
  /** The constraint that refuses the row, where PostgreSQL names one. */
  constraint: string | null;
}

/**
 * Makes native keys of the account keys of which no row came back. Where some rows of a token are back and others are
 * not, the account key belongs to the rows that are back: they are settled anew.
 */
export async function leaveKeys(
  session: WriteSession,
  schema: MappedSchema,
  { rows, isLeft }: { rows: readonly ArchivedRow[]; isLeft: ReadonlySet<string> },
): Promise<void> {
  const left = rows.filter(({ id }) => isLeft.has(id));
  const returned = new Set(rows.filter(({ id }) => !isLeft.has(id)).map((row) => row.account_key_id));
  const stays = left.filter((row) => !returned.has(row.account_key_id));
  await session.query(makeNative(schema), [[...new Set(stays.map((row) => row.account_key_id))]]);
  await session.query(forgetOutcomes(schema), [stays.map((row) => row.id)]);
  const incomplete = new Set(left.map((row) => row.account_key_id));
  const parted = rows.filter((row) => returned.has(row.account_key_id) && incomplete.has(row.account_key_id));
  if (parted.length > 0) await session.query(settleParted(schema), [parted.map((row) => row.id)]);
}

const settleParted = ({ types }: MappedSchema): string => sql`
  /* rollback: settle the keys of a token of which some rows did not come back */
  SELECT keylift.settle_ids($1::text[]::${types.id}[])`;

/** The keys that this attempt left in the account, in the order of their ids. */
export async function leftKeys(database: Database, schema: MappedSchema): Promise<LeftKey[]> {
  return database.readOnly(async (session) => {
    const { state } = await readInstalled(session, schema.settings);
    return state === null ? [] : (await session.query<LeftKey>(LEFT_KEYS)).rows;
  });
}
