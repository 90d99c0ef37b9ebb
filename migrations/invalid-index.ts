import type { Knex } from 'knex';

/** A concurrent build that failed or was cut off leaves an invalid index, which only costs: away with it. */
export async function dropInvalidIndex(
  knex: Knex,
  { schema, index }: { schema: string; index: string },
): Promise<void> {
  const { rows } = await knex.raw<{ rows: { name: string }[] }>(
    `SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i
     WHERE i.indexrelid = to_regclass(pg_catalog.format('%I.%s', ?::text, ?::text)) AND NOT i.indisvalid`,
    [schema, index],
  );
  for (const row of rows) await knex.raw(`DROP INDEX CONCURRENTLY IF EXISTS ${row.name}`);
}
