import { parseTableName } from '../src/config/identifiers.js';
import { derivedName } from '../src/legacy/copy.js';
import { dropInvalidIndex } from './statements/indexes.js';
import { execute, type Migration, type MigrationContext } from './context.js';

const indexName = (context: MigrationContext): string =>
  derivedName(parseTableName(context.settings.legacy.keys.table).name, 'keylift_token');

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
    await dropInvalidIndex(knex, { schema: schema ?? 'public', index: indexName(context) });
    await execute(knex, `CREATE INDEX CONCURRENTLY IF NOT EXISTS ${indexName(context)} ON ${l.keys} ((${l.token.replace(/\bk\./g, '')}))`);
  },

  async down(knex, context) {
    const { schema } = parseTableName(context.settings.legacy.keys.table);
    await execute(knex, `DROP INDEX CONCURRENTLY IF EXISTS ${schema === null ? '' : `"${schema.replaceAll('"', '""')}".`}${indexName(context)}`);
  },
};
