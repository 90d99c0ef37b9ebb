import { parseTableName, quoteIdentifier } from '../config/identifiers.js';
import { literal, sql, type Statement } from '../database/sql.js';
import { derivedName } from './copy.js';
import type { MappedSchema } from './inspect.js';
import { lookupOfToken, uniqueToken } from './token-index.js';

/** An index that is built and dropped CONCURRENTLY: no reader and no writer waits for it. */
export interface ConcurrentIndex {
  /** Quoted names; the index is in the schema of its table. */
  schema: string;
  name: string;
  table: string;
  /** What it indexes, as in SQL, with what follows the list. */
  on: string;
  unique?: boolean;
}

/** A build CONCURRENTLY that failed or was interrupted leaves an invalid index, which only costs: it is dropped first. */
const dropInvalid = (index: ConcurrentIndex): Statement => ({
  title: `drop index ${index.name} if a build left it invalid`,
  text: dropText(index),
  condition: {
    query: sql`
      SELECT
      FROM pg_catalog.pg_index i
      WHERE i.indexrelid = to_regclass(${literal(`${index.schema}.${index.name}`)}) AND NOT i.indisvalid`,
    runs: 'where it finds a row',
  },
});

const create = ({ name, table, on, unique }: ConcurrentIndex, how: '' | 'CONCURRENTLY'): string => sql`
  CREATE ${unique === true ? 'UNIQUE INDEX' : 'INDEX'} ${how} IF NOT EXISTS ${name}
    ON ${table} ${on};`;

/** How long a plain build may wait for a writer of the table; the step tries again. */
const LOCK_TIMEOUT = '500ms';

/** A plain build reads the table once and lets no writer in. */
const buildPlainly = (index: ConcurrentIndex): Statement[] => [
  dropInvalid(index),
  {
    title: `index ${index.name}, while no other role can write`,
    text: sql`
      DO $do$
      BEGIN
        SET LOCAL lock_timeout = '${LOCK_TIMEOUT}';
        ${create(index, '')}
      END
      $do$;`,
  },
];

export const buildIndex = (index: ConcurrentIndex, only?: Statement['condition']): Statement[] => [
  dropInvalid(index),
  {
    title: `index ${index.name}`,
    text: create(index, 'CONCURRENTLY'),
    ...(only === undefined ? {} : { condition: only }),
  },
];

export const dropIndex = (index: ConcurrentIndex): Statement => ({
  title: `drop index ${index.name}`,
  text: dropText(index),
});

const dropText = ({ schema, name }: ConcurrentIndex): string => `DROP INDEX CONCURRENTLY IF EXISTS ${schema}.${name};`;

/** One index of the new table. */
function targetIndex({ settings, legacy: l }: MappedSchema, suffix: string): Omit<ConcurrentIndex, 'on'> {
  const { schema, name } = parseTableName(settings.target.table);
  return { schema: quoteIdentifier(schema ?? 'public'), name: derivedName(name, suffix), table: l.target };
}

/** The index that becomes the primary key. */
export const idIndex = (schema: MappedSchema): ConcurrentIndex => ({
  ...targetIndex(schema, 'pkey'),
  on: '(id)',
  unique: true,
});

/** One token, one account key. */
export const tokenKey = (schema: MappedSchema): ConcurrentIndex => ({
  ...targetIndex(schema, 'token_key'),
  on: uniqueToken(schema),
  unique: true,
});

/** Finds account keys by a token of any length. */
const tokenLookup = (schema: MappedSchema): ConcurrentIndex => ({
  ...targetIndex(schema, 'token_lookup'),
  on: lookupOfToken(schema, 'token'),
});

/** Where the unique index is over a digest, a second index finds the tokens. */
const tokenLookups = (schema: MappedSchema): ConcurrentIndex[] =>
  schema.types.tokenFitsBtree ? [] : [tokenLookup(schema)];

/** Settings lists an account's keys by creation date. */
const settingsIndex = (schema: MappedSchema): ConcurrentIndex => ({
  ...targetIndex(schema, 'account_id_created_at'),
  on: '(account_id, created_at)',
});

/** What was unique among carried values stays unique. */
const carriedIndexes = (schema: MappedSchema): ConcurrentIndex[] =>
  schema.uniques.map(({ columns, nullsNotDistinct }, at) => ({
    ...targetIndex(schema, `carried_${String(at + 1)}_key`),
    on: `(${columns.join(', ')})${nullsNotDistinct ? ' NULLS NOT DISTINCT' : ''}`,
    unique: true,
  }));

/** How the indexes of the new table are built when the rows are there, which is what makes the backfill fast. */
export interface IndexBuild {
  /** Each lane is one session's work: the tokens are in random order and take as long as the rest. */
  lanes: Statement[][];
  /** The same where another role can write: one after the other, and no writer waits. */
  concurrently: Statement[];
}

export function buildIndexes(schema: MappedSchema): IndexBuild {
  const token = tokenKey(schema);
  const others = [...tokenLookups(schema), idIndex(schema), settingsIndex(schema), ...carriedIndexes(schema)];
  return {
    lanes: [buildPlainly(token), others.flatMap((index) => buildPlainly(index))],
    concurrently: [token, ...others].flatMap((index) => buildIndex(index)),
  };
}

/** Names of all indexes that the new table gets, quoted. */
export const indexNames = (schema: MappedSchema): string[] => [
  ...[tokenKey(schema), tokenLookup(schema), settingsIndex(schema), ...carriedIndexes(schema), idIndex(schema)].map(
    ({ name }) => name,
  ),
  ...['native_id', 'native_token', 'native_token_lookup'].map((suffix) => targetIndex(schema, suffix).name),
];

export const dropIndexes = (schema: MappedSchema): Statement[] =>
  [tokenKey(schema), tokenLookup(schema), settingsIndex(schema), ...carriedIndexes(schema), idIndex(schema)].map(
    dropIndex,
  );

/** Finds a row where a role other than the owner can write to the new table. */
export const othersWrite = ({ legacy: l }: MappedSchema): string => sql`
  SELECT
  FROM pg_catalog.pg_class c
  WHERE c.oid = ${literal(l.target)}::regclass AND (
    EXISTS (
      SELECT FROM aclexplode(c.relacl) x
      WHERE x.grantee <> c.relowner AND x.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    )
    OR EXISTS (
      SELECT FROM pg_catalog.pg_attribute a, aclexplode(a.attacl) x
      WHERE a.attrelid = c.oid AND x.grantee <> c.relowner AND x.privilege_type IN ('INSERT', 'UPDATE')
    )
    OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = c.relowner)
  )`;
