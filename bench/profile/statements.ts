import type { Copy } from '../arena.js';

/** What a statement cost in all, as `pg_stat_statements` has it. */
export interface StatementCost {
  statement: string;
  /** Sent by a session; false: run by a function or a trigger, and part of what called it. */
  sent: boolean;
  calls: number;
  /** Milliseconds of all sessions together. */
  totalMs: number;
  meanMs: number;
  rows: number;
  /** Pages of 8 KiB: found in the cache, read into it. */
  hit: number;
  read: number;
  walBytes: number;
}

const MOST = 14;
/** What takes less than this share of the longest is not listed. */
const LEAST_SHARE = 0.01;

/** The comment a statement of keylift's begins with, which `pg_stat_statements` leaves out, or how it begins. */
export const nameOf = (text: string): string =>
  /^\s*\/\*\s*(.*?)\s*\*\//s.exec(text)?.[1] ?? text.replace(/\s+/g, ' ').trim().slice(0, 110);

/** Runs the work on the copy with counters that begin at nothing; answers the statements that took longest. */
export async function costsOf(copy: Copy, work: () => Promise<unknown>): Promise<StatementCost[]> {
  await copy.sql('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await copy.sql('SELECT pg_stat_statements_reset()');
  await work();
  const rows = await copy.sql(`
    SELECT query, toplevel, calls, total_exec_time, mean_exec_time, rows, shared_blks_hit, shared_blks_read, wal_bytes
    FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND query NOT LIKE '%pg_stat_statements%'
    ORDER BY total_exec_time DESC LIMIT ${String(MOST)}`);
  const costs = rows.map((row): StatementCost => ({
    statement: nameOf(row['query']!),
    sent: row['toplevel'] as unknown as boolean,
    calls: Number(row['calls']),
    totalMs: Number(row['total_exec_time']),
    meanMs: Number(row['mean_exec_time']),
    rows: Number(row['rows']),
    hit: Number(row['shared_blks_hit']),
    read: Number(row['shared_blks_read']),
    walBytes: Number(row['wal_bytes']),
  }));
  return costs.filter(({ totalMs }) => totalMs >= LEAST_SHARE * costs[0]!.totalMs);
}
