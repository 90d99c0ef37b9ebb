import { BY_INDEX } from '../database/by-index.js';
import type { Database } from '../database/connect.js';
import { cutIntoChunks } from '../ledger/counted.js';
import { ARCHIVE, withArchive } from '../mapping/archive.js';
import { chunkEnd, rowsInRange, type Chunk } from '../mapping/chunks.js';
import { overSource, type LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';

const PAGE_ROWS = 20_000;
/** Looked at together where nothing is written. */
const CHUNK_ROWS = 250_000;

/** The upper end of the next page of a catch-up, or null for the last page, which ends where the whole does: $1 after, $2 rows, $3 upto. */
const catchUpEnd = (l: LegacyFragments, idType: string): string => `
  SELECT CASE WHEN $3::${idType} IS NULL OR page.upto::${idType} < $3::${idType} THEN page.upto END AS upto FROM (${chunkEnd(l, idType)}) page`;

const later = (one: string, other: string): string => `${one} IS NOT NULL AND (${other} IS NULL OR ${other} < ${one})`;

/**
 * Catches last use up, the later of the two: account keys first, of a repeated token with the latest of its rows, which
 * may be in other ranges.
 */
const catchUpTargets = (l: LegacyFragments, idType: string): string => `
  UPDATE ${l.target} t SET last_used_at = s.last_used_at
  FROM (SELECT id, max(last_used_at) AS last_used_at FROM (
        SELECT ${l.id()} AS id, ${l.lastUsedAt()} AS last_used_at FROM ${l.keys} k WHERE ${rowsInRange(l.id(), idType)}
        UNION ALL SELECT x.account_key_id, ${l.lastUsedAt()} FROM keylift.outcomes x JOIN ${l.keys} k ON ${l.id()} = x.key_id
        WHERE x.outcome = 'merge' AND (${rowsInRange('x.account_key_id', idType)} OR ${rowsInRange('x.key_id', idType)})) rows GROUP BY id) s
  WHERE t.id = s.id AND t.origin_api_id IS NOT NULL
    AND ${later('s.last_used_at', 't.last_used_at')}`;

/** … then the legacy rows, where an account key was used later than any row it stands for. */
const catchUpSources = (l: LegacyFragments, idType: string): string | null =>
  l.writable.lastUsedAt === null
    ? null
    : `
  UPDATE ${l.keys} k SET ${l.writable.lastUsedAt} = t.last_used_at FROM ${l.target} t
  WHERE ${rowsInRange(l.id(), idType)} AND t.id = ${l.id()} AND t.origin_api_id IS NOT NULL
    AND ${later('t.last_used_at', l.lastUsedAt())}
    AND NOT ${caughtUpWithTwin(l)}`;

/** The account key's use is that of a row merged into it, and no row's need. */
const caughtUpWithTwin = (
  l: LegacyFragments,
): string => `EXISTS (SELECT FROM keylift.outcomes x JOIN ${l.keys} k ON ${l.id()} = x.key_id
      WHERE x.outcome = 'merge' AND x.account_key_id = t.id AND ${l.lastUsedAt()} >= t.last_used_at)`;

/**
 * Is there anything in the range for the one and for the other? Both tables are read side by side, where the UPDATEs go
 * key by key: a small part of the time where nothing is.
 */
const anyToCatchUp = (l: LegacyFragments, idType: string): string => {
  const moved = `${rowsInRange('t.id', idType)} AND t.origin_api_id IS NOT NULL`;
  const ahead =
    l.writable.lastUsedAt === null
      ? ''
      : `OR ${later('t.last_used_at', l.lastUsedAt())} AND NOT ${caughtUpWithTwin(l)}`;
  return `
  /* looking for use that is to be caught up */
  SELECT EXISTS (SELECT FROM ${l.target} t JOIN ${l.keys} k ON ${l.id()} = t.id
      WHERE ${moved} AND ${rowsInRange(l.id(), idType)} AND (${later(l.lastUsedAt(), 't.last_used_at')} ${ahead}))
    OR EXISTS (SELECT FROM keylift.outcomes x JOIN ${l.keys} k ON ${l.id()} = x.key_id JOIN ${l.target} t ON t.id = x.account_key_id
      WHERE x.outcome = 'merge' AND (${rowsInRange('x.account_key_id', idType)} OR ${rowsInRange('x.key_id', idType)})
        AND t.origin_api_id IS NOT NULL AND ${later(l.lastUsedAt(), 't.last_used_at')}) AS found`;
};

/**
 * Last use is not mirrored row by row; bring both tables to the later of the two. In pages, one table a transaction:
 * a revocation must not wait for more than a page.
 */
async function catchUpLastUse(database: Database, mapped: MappedSchema, [after, upto]: Chunk): Promise<void> {
  const { legacy, types } = mapped;
  const schema = await database.readOnly((s) => withArchive(s, mapped));
  const tables = [legacy.keys, ...(schema === mapped ? [] : [ARCHIVE])];
  const statements = [
    catchUpTargets(schema.legacy, types.id),
    ...tables.map((table) => catchUpSources(overSource(legacy, table), types.id)),
  ];
  for (let from = after; ;) {
    const end: string | null = await database.readOnly(
      async (s) =>
        (await s.one<{ upto: string | null }>(catchUpEnd(schema.legacy, types.id), [from, PAGE_ROWS, upto])).upto,
    );
    for (const statement of statements) {
      if (statement === null) continue;
      await database.transaction(
        async (session) => {
          await session.query(`SET LOCAL keylift.writer = 'keylift'; ${BY_INDEX}`);
          await session.query(statement, [from, end ?? upto]);
        },
        { retry: 'underLoad' },
      );
    }
    if (end === null) return;
    from = end;
  }
}

/** The same where there is anything to catch up: a look at both tables side by side first. */
export async function catchUpChunk(
  database: Database,
  mapped: MappedSchema,
  { chunk, schema }: { chunk: Chunk; schema: MappedSchema },
): Promise<void> {
  const { found } = await database.readOnly(async (session) => {
    await session.query(`SET LOCAL work_mem = '64MB'`);
    return session.one<{ found: boolean }>(anyToCatchUp(schema.legacy, schema.types.id), chunk);
  });
  if (found) await catchUpLastUse(database, mapped, chunk);
}

/** The same for all keys, before many of them are answered otherwise. */
export async function catchUpAll(database: Database, mapped: MappedSchema): Promise<void> {
  const schema = await database.readOnly((s) => withArchive(s, mapped));
  for (const chunk of await cutIntoChunks(database, schema, CHUNK_ROWS))
    await catchUpChunk(database, mapped, { chunk, schema });
}
