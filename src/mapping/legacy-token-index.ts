import { parseTableName, quoteIdentifier } from '../config/identifiers.js';
import { literal, sql } from '../database/sql.js';
import { derivedName } from './copy.js';
import type { ConcurrentIndex } from './indexes.js';
import type { MappedSchema } from './inspect.js';
import { lookupOfToken } from './token-index.js';

/** A partitioned table cannot be indexed CONCURRENTLY, but each of its leaves can. */
export function legacyTokenIndexes(mapped: MappedSchema): ConcurrentIndex[] {
  const { legacy: l, settings, partitions } = mapped;
  const leaves = partitions.filter(({ isLeaf }) => isLeaf).map(({ table }) => table);
  const tables = leaves.length > 0 ? leaves : [settings.legacy.keys.table];
  return tables.map((text) => {
    const { schema, name } = parseTableName(text);
    return {
      schema: quoteIdentifier(schema ?? 'public'),
      name: derivedName(name, 'keylift_token'),
      table: leaves.length > 0 ? text : l.keys,
      on: lookupOfToken(mapped, `(${l.token('')})`),
    };
  });
}

/** Finds the indexes of the legacy table, whole and valid, that find rows by their token. */
export function tokenIndexLookup({ legacy: l, settings }: MappedSchema): string {
  const { token } = settings.legacy.keys;
  return sql`
    SELECT
    FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = c.relam
    WHERE i.indrelid = ${literal(l.keys)}::regclass AND a.attname = ${literal(typeof token === 'string' ? token : '')}
      AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')`;
}
