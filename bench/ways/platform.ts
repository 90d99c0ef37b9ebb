import { readFileSync } from 'node:fs';
import type { Copy } from '../arena.js';
import { keylift } from '../keylift.js';
import { load, type Latencies } from '../pgbench.js';
import { legacyWrites, oldLookup } from './gateway.js';

const RENAMED = 200_000;
const LOOK_EVERY_MS = 20;
const CLIENTS = 2;
const SECONDS = 8;

/** A legacy write while the backfill copies: the change log records it. */
export async function loggedWrites(copy: Copy): Promise<Latencies> {
  await keylift(['migrate', '--until', 'backfill', '--yes'], copy.url);
  await copy.checkpoint();
  return legacyWrites(copy);
}

/** One UPDATE of many names, and what its server process held in memory of its own at most, beyond its start. */
export async function bulkUpdate(copy: Copy): Promise<{ seconds: number; moreMiB: number | null }> {
  const [row] = await copy.sql<{ pid: string }>('SELECT pg_backend_pid()::text AS pid');
  const before = memoryOf(row!.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most ?? 0, memoryOf(row!.pid) ?? 0);
  }, LOOK_EVERY_MS);
  const seconds = await copy.timed(
    `UPDATE public.api_keys SET name = 'all renamed ' || id WHERE id <= ${String(RENAMED)}`,
  );
  clearInterval(watch);
  return { seconds, moreMiB: before === null || most === null ? null : most - before };
}

/** The memory of a process that no other one shares, in MiB; null where the system does not tell (no /proc). */
function memoryOf(pid: string): number | null {
  try {
    const own = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return own === null ? null : Number(own[1]) / 1024;
  } catch {
    return null;
  }
}

/** The old gateway's query, unchanged but for the name of what it reads. */
export const lookupsThroughView = (copy: Copy): Promise<Latencies> =>
  load({
    url: copy.url,
    script: oldLookup(copy.keys).replace('public.api_keys', 'keylift.per_api_keys'),
    clients: CLIENTS,
    seconds: SECONDS,
  });

/** The moved rows of a migrated copy, into a table and back, in one statement each: no page, no comparison. Seconds. */
export async function archiveAtOnce(copy: Copy): Promise<{ there: number; back: number }> {
  await copy.sql(`
    ALTER TABLE public.api_keys DISABLE TRIGGER USER;
    CREATE TABLE public.archive (LIKE public.api_keys, PRIMARY KEY (id))`);
  const there = await copy.timed(`
    WITH gone AS (
      DELETE FROM public.api_keys k USING public.account_api_keys t WHERE t.id = k.id RETURNING k.*
    )
    INSERT INTO public.archive SELECT * FROM gone`);
  await copy.checkpoint();
  const back = await copy.timed('INSERT INTO public.api_keys OVERRIDING SYSTEM VALUE SELECT * FROM public.archive');
  return { there, back };
}
