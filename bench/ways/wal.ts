import type { Copy } from '../arena.js';
import { keylift } from '../keylift.js';

/** WAL of one part of a migration. */
export interface WalPart {
  part: string;
  bytes: number;
  bytesARow: number;
  share: number;
}

const STAGES = ['expand', 'backfill', 'harden', 'verify'] as const;

/**
 * WAL that a migration writes, stage by stage, the backfill and harden cut up further by the kind of record
 * (`pg_walinspect`), per moved row.
 */
export async function walOfMigration(copy: Copy): Promise<{ parts: WalPart[]; bytesARow: number; moved: number }> {
  // What is to be counted must not be recycled before it is.
  await copy.sql(`ALTER SYSTEM SET wal_keep_size = '32GB'`);
  await copy.sql('SELECT pg_reload_conf()');
  await copy.sql('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
  await copy.checkpoint();
  const position = async (): Promise<string> =>
    (await copy.sql('SELECT pg_current_wal_insert_lsn() AS lsn'))[0]!['lsn']!;
  const parts: { part: string; bytes: number }[] = [];
  let from = await position();
  for (const stage of STAGES) {
    await keylift(['migrate', '--until', stage, '--yes'], copy.url);
    const to = await position();
    for (const { kind, bytes } of await recordsBetween(copy, { from, to }))
      parts.push({ part: `${stage}: ${kind}`, bytes });
    from = to;
  }
  await copy.sql('ALTER SYSTEM RESET wal_keep_size');
  await copy.sql('SELECT pg_reload_conf()');
  const [{ moved }] = (await copy.sql('SELECT count(*) AS moved FROM public.account_api_keys')) as [{ moved: string }];
  const all = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    moved: Number(moved),
    bytesARow: all / Number(moved),
    parts: parts
      .sort((a, b) => b.bytes - a.bytes)
      .filter(({ bytes }) => bytes / all > 0.001)
      .map(({ part, bytes }) => ({ part, bytes, bytesARow: bytes / Number(moved), share: bytes / all })),
  };
}

const KIND = `CASE resource_manager WHEN 'Heap' THEN 'rows' WHEN 'Heap2' THEN 'rows' WHEN 'Btree' THEN 'index entries'
  WHEN 'XLOG' THEN 'full pages (indexes as built, first hint on a page)' ELSE 'other' END`;

async function recordsBetween(
  copy: Copy,
  { from, to }: { from: string; to: string },
): Promise<{ kind: string; bytes: number }[]> {
  if (from === to) return [];
  const rows = await copy.sql(
    `
    SELECT ${KIND} AS kind, sum(record_length + fpi_length)::text AS bytes
    FROM (SELECT "resource_manager/record_type" AS resource_manager, record_size AS record_length,
      fpi_size AS fpi_length
          FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, false)) stats GROUP BY 1`,
    [from, to],
  );
  return rows.map((row) => ({ kind: row['kind']!, bytes: Number(row['bytes']) }));
}
