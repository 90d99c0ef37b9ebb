import type { Database } from '../database/connect.js';
import { beginStatement } from '../database/scopes.js';
import type { WriteSession } from '../database/session.js';
import { requireAllowed } from '../ledger/allowed.js';
import { storeHolds, type Holds } from '../ledger/holds.js';
import { readInstalled } from '../ledger/installed.js';
import { ledgerTables } from '../ledger/tables.js';
import { accountKeysTable } from '../mapping/account-keys.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { preflight } from '../preflight/preflight.js';
import { copyRange, type RangeCounts } from './backfill/copy-statements.js';

/** Keys of the one batch: enough to tell a pace, few enough to be gone in a second. */
export const REHEARSED_KEYS = 20_000;
const LOCK_TIMEOUT_MS = 500;
const STATEMENT_TIMEOUT_MS = 60_000;

/** One batch as it ran and was rolled back. */
export interface Rehearsal {
  rows: number;
  moved: number;
  seconds: number;
  /** Null where there was nothing to copy. */
  rows_per_second: number | null;
  /** For all keys, one batch at a time. */
  seconds_expected: number;
}

export interface RehearseOptions {
  holds: Holds;
  /** Per-API keys in all, for the estimate. */
  total: number;
  stop: AbortSignal;
}

/**
 * Runs one batch of the backfill over the first keys, measures it, and rolls it back: ledger and new table are made
 * inside the transaction and are never seen by anybody else. It reads the legacy tables under the lock any SELECT
 * takes. A repeated token is copied here like any other key, as judging it would mean a search through all of them.
 *
 * @throws `rehearsal_too_late` where a ledger stands already, `preflight` where `migrate` would be refused.
 */
export async function rehearse(
  database: Database,
  schema: MappedSchema,
  { holds, total, stop }: RehearseOptions,
): Promise<Rehearsal> {
  await database.readOnly(async (session) => {
    const installed = await readInstalled(session, schema.settings);
    requireAllowed('plan --rehearse', installed.state);
    await preflight({ session, schema, host: database.where.host, installed });
  });
  stop.throwIfAborted();
  const { rows, moved, seconds } = await rolledBack(database, schema, (session) =>
    oneBatch(session, schema, { holds, stop }),
  );
  const pace = rows === 0 ? null : rows / Math.max(seconds, 0.001);
  return {
    rows,
    moved,
    seconds: Math.round(seconds * 1000) / 1000,
    rows_per_second: pace === null ? null : Math.round(pace),
    seconds_expected: pace === null ? 0 : Math.round((total / pace) * 10) / 10,
  };
}

/** `fn` in a transaction that has no way to be committed. */
async function rolledBack<T>(
  database: Database,
  { searchPath }: MappedSchema,
  fn: (session: WriteSession) => Promise<T>,
): Promise<T> {
  return database.withSession(
    async (session) => {
      try {
        await session.query(
          beginStatement({ searchPath, lockTimeoutMs: LOCK_TIMEOUT_MS, statementTimeoutMs: STATEMENT_TIMEOUT_MS }),
        );
        return await fn(session);
      } finally {
        await session.query('ROLLBACK').catch(() => undefined); // a lost connection has rolled back already
      }
    },
    { name: 'rehearsal: copy and roll back' },
  );
}

async function oneBatch(
  session: WriteSession,
  schema: MappedSchema,
  { holds, stop }: Pick<RehearseOptions, 'holds' | 'stop'>,
): Promise<{ rows: number; moved: number; seconds: number }> {
  const { legacy: l, types } = schema;
  await session.query(`SET LOCAL work_mem = '32MB'`);
  for (const { text } of [...ledgerTables(schema), ...accountKeysTable(schema)]) await session.query(text);
  await storeHolds(session, schema, holds);
  const last = await session.first<{ id: string }>(
    `SELECT id::text AS id FROM (SELECT ${l.id()} AS id FROM ${l.keys} k ORDER BY ${l.id()} LIMIT ${String(REHEARSED_KEYS)}) first ORDER BY first.id DESC LIMIT 1`,
  );
  if (last === undefined) return { rows: 0, moved: 0, seconds: 0 };
  const held = holds.keyIds.length + holds.accountIds.length > 0;
  stop.throwIfAborted();
  const started = performance.now();
  const { rows, moved } = await session.one<RangeCounts>(
    copyRange(l, { idType: types.id, holds: held, accounts: true }),
    [null, last.id],
  );
  return { rows: Number(rows), moved: Number(moved), seconds: (performance.now() - started) / 1000 };
}
