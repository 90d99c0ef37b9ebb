import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { keyliftError } from '../../errors/keylift-error.js';
import { readInstalled } from '../../ledger/installed.js';
import { tokenKey } from '../../mapping/indexes.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { foreignKeysToTakeBack, type PointingForeignKey } from '../finalize/foreign-keys.js';

/** $1 is the new table, $2 the name of its unique index by token. A foreign key needs the index that it points at. */
export const NEEDING_FOREIGN_KEYS = sql`
  /* rollback: look for foreign keys that need the primary key or the unique token of the new table */
  SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS constraint
  FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid
  WHERE c.contype = 'f' AND c.confrelid = $1::regclass AND c.conparentid = 0
    AND (i.indisprimary OR i.indexrelid = to_regclass($2))
  ORDER BY 1, 2`;

/**
 * Before anything is taken back. A cascade would delete rows of other tables that were repointed for finalize, and a
 * foreign key without such rows still keeps the rollback from dropping the index that it needs.
 *
 * @throws `foreign_keys_point_back`, with the DDL that makes it pass
 */
export async function refuseForeignKeys(session: ReadSession, schema: MappedSchema): Promise<void> {
  const { target } = await readInstalled(session, schema.settings);
  if (!target) return;
  const pointing = await foreignKeysToTakeBack(session, schema);
  refuse(pointing, 'rows of other tables reference account keys that the rollback would delete');
  refuse(
    await needingForeignKeys(session, schema),
    'foreign keys of other tables need the primary key or the unique token of the new table, which the rollback drops',
  );
}

async function needingForeignKeys(session: ReadSession, schema: MappedSchema): Promise<PointingForeignKey[]> {
  const index = tokenKey(schema);
  const { rows } = await session.query<{ table: string; constraint: string }>(NEEDING_FOREIGN_KEYS, [
    schema.legacy.target,
    `${index.schema}.${index.name}`,
  ]);
  return rows.map((row) => ({ ...row, ddl: [`ALTER TABLE ${row.table} DROP CONSTRAINT ${row.constraint};`] }));
}

function refuse(pointing: readonly PointingForeignKey[], message: string): void {
  if (pointing.length === 0) return;
  throw keyliftError('foreign_keys_point_back', {
    message,
    facts: { foreign_keys: pointing.map((f) => `${f.table}: ${f.constraint}`), ddl: pointing.flatMap((f) => f.ddl) },
  });
}
