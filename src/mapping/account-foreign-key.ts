import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { REGCLASS } from './columns.js';

export type ReferentialAction = 'NO ACTION' | 'RESTRICT' | 'CASCADE' | 'SET NULL' | 'SET DEFAULT';

/** The legacy table's foreign key from the account column to the accounts' id. */
export interface AccountForeignKey {
  onUpdate: ReferentialAction;
  onDelete: ReferentialAction;
  /** As in SQL: empty, or when it is checked. */
  deferrable: string;
}

const ACTIONS: Record<string, ReferentialAction> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

const FOREIGN_KEY = sql`
  SELECT c.confupdtype AS on_update, c.confdeltype AS on_delete,
    CASE
      WHEN c.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED'
      WHEN c.condeferrable THEN 'DEFERRABLE'
      ELSE ''
    END AS deferrable
  FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_attribute own ON own.attrelid = c.conrelid AND own.attname = $3
    JOIN pg_catalog.pg_attribute far ON far.attrelid = c.confrelid AND far.attname = $6
  WHERE c.contype = 'f'
    AND c.conrelid = ${REGCLASS('$1', '$2')} AND c.conkey = ARRAY[own.attnum]
    AND c.confrelid = ${REGCLASS('$4', '$5')} AND c.confkey = ARRAY[far.attnum]
  ORDER BY c.conname
  LIMIT 1`;

/** Reads that foreign key; null where the legacy table has none, or where the account is an expression. */
export async function readAccountForeignKey(
  session: ReadSession,
  { legacy: { keys, accounts } }: Settings,
): Promise<AccountForeignKey | null> {
  if (typeof keys.account !== 'string' || typeof accounts.id !== 'string') return null;
  const [from, to] = [parseTableName(keys.table), parseTableName(accounts.table)];
  const { rows } = await session.query<{ on_update: string; on_delete: string; deferrable: string }>(FOREIGN_KEY, [
    from.schema ?? 'public',
    from.name,
    keys.account,
    to.schema ?? 'public',
    to.name,
    accounts.id,
  ]);
  const [row] = rows;
  if (row === undefined) return null;
  return { onUpdate: ACTIONS[row.on_update]!, onDelete: ACTIONS[row.on_delete]!, deferrable: row.deferrable };
}
