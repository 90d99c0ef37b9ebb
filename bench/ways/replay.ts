import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Copy } from '../arena.js';
import { keylift, type Ran } from '../keylift.js';
import { apiOf, tokenOf } from '../seed.js';

const DECISIONS = 1_000_000;
const PAGE = 100_000;

/** A million decisions that a gateway could have recorded of the seeded keys, each of a key at its own API. */
export async function replayOfAMillion(copy: Copy): Promise<Ran> {
  const folder = await mkdtemp(path.join(tmpdir(), 'keylift-bench-'));
  try {
    const file = path.join(folder, 'decisions.ndjson');
    for (let from = 0; from < DECISIONS; from += PAGE)
      await writeFile(file, await decisions(copy, from), { flag: 'a' });
    return await keylift(['verify', '--replay', file], copy.url);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `refused`, whatever the key: that is explained of every living key, and right of every dead one. */
async function decisions(copy: Copy, from: number): Promise<string> {
  const [row] = await copy.sql<{ text: string }>(`
    SELECT string_agg(json_build_object('token', ${tokenOf('k')}, 'api', 'api-' || (${apiOf('k')}), 'allowed', false)::text, E'\\n') || E'\\n' AS text
    FROM generate_series(${String(from)}, ${String(from + PAGE - 1)}) n, LATERAL (SELECT n::bigint * 7919 % ${String(copy.keys)} + 1 AS k) key`);
  return row!.text;
}
