import { MARK_WRITES_OF_STAGE } from '../mirror/own-writes.js';
import { BY_INDEX } from '../database/by-index.js';
import type { Database } from '../database/connect.js';
import { cutIntoChunks } from '../ledger/counted.js';
import { readInstalled } from '../ledger/installed.js';
import { ARCHIVE, withArchive } from '../mapping/archive.js';
import type { Chunk } from '../mapping/chunks.js';
import { overSource } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { findLag, syncAccountKeys, syncPageEnd, syncPerApiKeys } from './last-use-statements.js';

const PAGE_ROWS = 20_000;
/** Looked at together where nothing is written. */
const CHUNK_ROWS = 250_000;

/**
 * Last use is not mirrored row by row; bring both tables to the later of the two. In pages, one table a transaction:
 * a revocation must not wait for more than a page.
 */
async function catchUpLastUse(
  database: Database,
  mapped: MappedSchema,
  { chunk: [after, upto], schema }: { chunk: Chunk; schema: MappedSchema },
): Promise<void> {
  const { legacy, types } = mapped;
  const tables = [legacy.keys, ...(schema === mapped ? [] : [ARCHIVE])];
  const statements = [
    syncAccountKeys(schema.legacy, types.id),
    ...tables.map((table) => syncPerApiKeys(overSource(legacy, table), types.id)),
  ];
  for (let from = after; ;) {
    const end: string | null = await database.readOnly(
      async (s) =>
        (await s.one<{ upto: string | null }>(syncPageEnd(schema.legacy, types.id), [from, PAGE_ROWS, upto])).upto,
    );
    for (const statement of statements) {
      if (statement === null) continue;
      await database.transaction(
        async (session) => {
          await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
          await session.query(statement, [from, end ?? upto]);
        },
        { name: 'last use: synchronise a page', retry: 'underLoad' },
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
    return session.one<{ found: boolean }>(findLag(schema.legacy, schema.types.id), chunk);
  });
  if (found) await catchUpLastUse(database, mapped, { chunk, schema });
}

/** The same for all keys, before many of them are answered otherwise. */
export async function catchUpAll(database: Database, mapped: MappedSchema): Promise<void> {
  const schema = await database.readOnly(async (session) =>
    withArchive(session, mapped, await readInstalled(session, mapped.settings)),
  );
  for (const chunk of await cutIntoChunks(database, schema, CHUNK_ROWS))
    await catchUpChunk(database, mapped, { chunk, schema });
}
