import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { REGCLASS } from './columns.js';

/**
 * Can a key be told from another by its id? `yes`: a unique index on it alone. `by partition`: PostgreSQL wants the
 * partition key in every unique index of a partitioned table, so one that begins with the id and adds nothing else
 * is the best such a table can have; that no id is in two partitions must be looked at.
 */
export type UniqueKey = 'yes' | 'by partition' | 'no';

const INDEXES = sql`
  WITH parts AS (
    SELECT a.attname
    FROM pg_catalog.pg_partition_tree(${REGCLASS('$1', '$2')}) tree
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = tree.relid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::int2[])
  )
  SELECT
    i.indnkeyatts = 1 AS alone,
    (
      SELECT bool_and(a.attname = $3 OR a.attname IN (SELECT attname FROM parts))
      FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS given (attnum)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = given.attnum
    ) AS partitioned
  FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = ${REGCLASS('$1', '$2')} AND a.attname = $3
    AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL`;

export async function keyIsUnique(session: ReadSession, { legacy: { keys } }: Settings): Promise<UniqueKey> {
  const { schema, name } = parseTableName(keys.table);
  const { rows } = await session.query<{ alone: boolean; partitioned: boolean }>(INDEXES, [
    schema ?? 'public',
    name,
    keys.id,
  ]);
  if (rows.some(({ alone }) => alone)) return 'yes';
  return rows.some(({ partitioned }) => partitioned) ? 'by partition' : 'no';
}
