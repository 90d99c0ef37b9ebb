import { parseTableName, quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { REGCLASS } from './columns.js';

/** Values that must not come twice among keys: a unique index of the legacy table over what is carried. */
export interface CarriedUnique {
  /** Quoted columns of the new table. */
  columns: string[];
  /** Two missing values are the same value (PostgreSQL 15 and newer). */
  nullsNotDistinct: boolean;
}

interface FoundIndex {
  index: string;
  columns: string[] | null;
  /** What an expression or a condition of the index looks at. */
  mentions: string[];
  whole: boolean;
  nulls_not_distinct: boolean;
}

const UNIQUES = sql`
  SELECT
    i.indexrelid::regclass::text AS index,
    i.indpred IS NULL AND i.indexprs IS NULL AS whole,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
    (
      SELECT array_agg(a.attname::text ORDER BY n)
      FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS given (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = given.attnum
    ) AS columns,
    ARRAY(
      SELECT a.attname::text
      FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refobjid = i.indrelid AND d.refobjsubid > 0
    ) AS mentions
  FROM pg_catalog.pg_index i
  WHERE i.indrelid = ${REGCLASS('$1', '$2')} AND i.indisunique AND i.indisvalid
  ORDER BY i.indexrelid`;

/** Unique indexes over carried columns: those the new table gets as well, and names of those it cannot have. */
export async function carriedUniques(
  session: ReadSession,
  { legacy: { keys } }: Settings,
): Promise<{ carried: CarriedUnique[]; left: string[] }> {
  const { schema, name } = parseTableName(keys.table);
  const { rows } = await session.query<FoundIndex>(UNIQUES, [schema ?? 'public', name]);
  const target = new Map<string, string>([
    ...[
      ['account', 'account_id'],
      ['name', 'name'],
      ['token', 'token'],
      ['api', 'origin_api_id'],
    ].flatMap(([value, column]): [string, string][] => {
      const mapped = keys[value as 'account'];
      return typeof mapped === 'string' ? [[mapped, column!]] : [];
    }),
    ...keys.carry.map((column): [string, string] => [column, column]),
  ]);
  const concerned = rows.filter(({ columns, mentions }) =>
    [...(columns ?? []), ...mentions].some((column) => keys.carry.includes(column)),
  );
  const [carried, left] = [concerned.filter(fits), concerned.filter((index) => !fits(index))];
  return {
    carried: carried.map(({ columns, nulls_not_distinct: nullsNotDistinct }) => ({
      columns: columns!.map((column) => quoteIdentifier(target.get(column)!)),
      nullsNotDistinct,
    })),
    left: left.map(({ index }) => index),
  };

  function fits({ columns, whole }: FoundIndex): boolean {
    return whole && (columns ?? []).every((column) => target.has(column));
  }
}
