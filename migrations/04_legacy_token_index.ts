import { parseTableName, quoteIdentifier } from '../src/config/identifiers.js';
import { derivedName } from '../src/mapping/copy.js';
import { dropInvalidIndex } from './invalid-index.js';
import { execute, type Migration, type MigrationContext } from './context.js';

interface Place {
  table: string;
  schema: string;
  index: string;
}

/** A partitioned table cannot be indexed beside its writers, but each of its leaves can. */
function places({ legacy: l, settings, partitions }: MigrationContext): Place[] {
  const named = (table: string): Place => {
    const { schema, name } = parseTableName(table);
    return { table, schema: schema ?? 'public', index: derivedName(name, 'keylift_token') };
  };
  const leaves = partitions.filter(({ isLeaf }) => isLeaf).map(({ table }) => named(table));
  return leaves.length > 0 ? leaves : [{ ...named(settings.legacy.keys.table), table: l.keys }];
}

/**
 * Expand: the mirror looks up a key's twins by token at every change. A platform whose gateway looks keys up by
 * token has that index; where it is missing, we bring our own and take it away again.
 */
export const legacyTokenIndex: Migration = {
  name: '04_legacy_token_index',
  transaction: false,

  async up(knex, context) {
    const { legacy: l, settings } = context;
    const { schema, name } = parseTableName(settings.legacy.keys.table);
    const token = settings.legacy.keys.token;
    const found = await knex.raw<{ rows: unknown[] }>(
      `SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
       WHERE i.indrelid = format('%I.%I', ?::text, ?::text)::regclass AND a.attname = ? AND i.indisvalid AND i.indpred IS NULL
       AND (SELECT amname FROM pg_catalog.pg_am m JOIN pg_catalog.pg_class c ON c.relam = m.oid WHERE c.oid = i.indexrelid) IN ('btree', 'hash')`,
      [schema ?? 'public', name, typeof token === 'string' ? token : ''],
    );
    if (found.rows.length > 0) return;
    for (const place of places(context)) {
      await dropInvalidIndex(knex, place);
      await execute(
        knex,
        `CREATE INDEX CONCURRENTLY IF NOT EXISTS ${place.index} ON ${place.table} ((${l.token('')}))`,
      );
    }
  },

  async down(knex, context) {
    for (const { schema, index } of places(context)) {
      await execute(knex, `DROP INDEX CONCURRENTLY IF EXISTS ${quoteIdentifier(schema)}.${index}`);
    }
  },
};
