import type { Database } from '../database/connect.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { POLICIES, pauseBefore } from '../database/retry.js';
import { pause } from '../timing.js';
import { cutIntoChunks } from '../ledger/counted.js';
import { readInstalled } from '../ledger/installed.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { withArchive } from '../mapping/archive.js';
import type { Chunk } from '../mapping/chunks.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { replaceProofDuplicates } from '../ledger/proof-duplicates.js';
import { checkAnswers } from './answers.js';
import { proveChunk } from './chunk.js';
import { expectedDuplicates } from './duplicates.js';
import { allDone, fewAtOnce } from '../database/together.js';
import {
  addCounters,
  COUNTERS,
  MAX_DIFFERENCES,
  noCounters,
  type Counters,
  type Difference,
  type Doubt,
  type Proof,
} from './document.js';
import { readMirror } from '../ledger/mirror-look.js';
import { finalityOf, type Finality } from './finality.js';
import { accountsAreGuaranteed, plainRowsOf } from './plain.js';

const CHUNK_ROWS = 250_000;
/** Each is one session's work; the server's cores are the platform's. */
const CHUNKS_AT_ONCE = 2;

interface ChunkResult {
  counters: Counters;
  differences: Doubt[];
}

export interface VerifyOptions {
  /** Called after each chunk with the source rows looked at so far. */
  onProgress?: (rows: number) => void;
  stop: AbortSignal;
  /** Called for each chunk where `last_used_at` of the two tables differs: the proof itself writes neither. */
  onLag?: (chunk: Chunk, schema: MappedSchema) => Promise<void>;
}

/**
 * The proof: parity of every row and equivalence of authorization, in SQL, chunk by chunk, no snapshot held longer
 * than a chunk. Differences are looked at again, since the list of repeated tokens is older than the chunks; only
 * lasting ones are in the answer.
 */
export async function prove(database: Database, mapped: MappedSchema, options: VerifyOptions): Promise<Proof> {
  const started = performance.now();
  const { schema, finality, mirror } = await database.readOnly(async (session) => {
    const installed = await readInstalled(session, mapped.settings);
    return {
      schema: await withArchive(session, mapped, installed),
      finality: finalityOf(installed),
      mirror: (await readMirror(session, mapped, installed)) ?? { ok: true, faults: [] },
    };
  });
  // The search for repeated tokens is one session's work; what does not need its answer is done beside it.
  const [ranges, , answers] = await allDone([
    cutIntoChunks(database, schema, CHUNK_ROWS),
    replaceProofDuplicates(database, expectedDuplicates(schema, finality)),
    database.readOnly((s) => checkAnswers(s, schema, finality)),
  ]);
  const total = noCounters();
  const chunks = await fewAtOnce(ranges, CHUNKS_AT_ONCE, async (range) => {
    options.stop.throwIfAborted();
    const chunk = await database.readOnly((s) => judgeRange(s, schema, { range, finality }));
    addCounters(total, chunk.counters);
    options.onProgress?.(total.rows);
    return { range, ...chunk };
  });
  for (const { range: chunk, counters } of chunks) {
    if (counters.behind + counters.ahead > 0) await options.onLag?.(chunk, schema);
  }
  const doubts = chunks.flatMap((chunk) => chunk.differences);

  const lasting = await lookAgain(database, schema, { total, doubts, finality, stop: options.stop });
  const { counters, differences } = lasting;
  const keys = {
    compared: counters.compared,
    missing: counters.missing,
    extra: counters.extra,
    different: counters.different,
  };
  const authorization = {
    lost: counters.lost + answers.lost,
    gained_store: counters.gained_store,
    predicted_gained_store: counters.predicted_gained_store,
    gained_custom: answers.gained_custom,
    gained_foreign: counters.gained_foreign + answers.gained_foreign,
    revived: counters.revived + answers.revived,
  };
  const all = [...differences, ...answers.differences];
  return {
    ok: all.length === 0 && mirror.ok && isClean(keys, authorization),
    keys,
    authorization,
    mirror,
    differences: all.slice(0, MAX_DIFFERENCES),
    rows: counters.rows,
    chunks: chunks.length,
    asked: answers.asked,
    seconds: Math.round(performance.now() - started) / 1000,
  };
}

const isClean = (keys: Proof['keys'], a: Proof['authorization']): boolean =>
  keys.missing + keys.extra + keys.different + a.lost + a.gained_custom + a.gained_foreign + a.revived === 0 &&
  a.gained_store === a.predicted_gained_store;

export const storeApisAndHolds = (l: LegacyFragments): string => sql`
  SELECT count(*) AS apis, EXISTS (SELECT FROM keylift.holds) AS holds
  FROM ${l.apis} a
  WHERE ${l.apiNeedsAccount ? 'false -- each account has store APIs of its own' : l.inStore()}`;

/** A chunk in two looks: the plain rows are counted, and only what is left is judged in full. */
async function judgeRange(
  session: ReadSession,
  schema: MappedSchema,
  { range, finality }: { range: Chunk; finality: Finality },
): Promise<ChunkResult> {
  const { legacy: l, types } = schema;
  if (finality.purged) return runChunk(session, schema, { rows: 'range', values: range, finality });
  const { apis, holds } = await session.one<{ apis: string; holds: boolean }>(storeApisAndHolds(l));
  const plain = await plainRowsOf(session, l, {
    range,
    finality,
    holds,
    idType: types.id,
    storeApis: Number(apis),
    accountsGuaranteed: await accountsAreGuaranteed(session, l),
  });
  const others = await runChunk(session, schema, { rows: 'ids', values: [plain.others], finality });
  for (const [name, count] of Object.entries(plain.counters)) others.counters[name as keyof Counters] += count;
  return others;
}

async function runChunk(
  session: ReadSession,
  { legacy, types }: MappedSchema,
  { rows, values, finality }: { rows: 'range' | 'ids'; values: unknown[]; finality: Finality },
): Promise<ChunkResult> {
  const row = await session.one<Record<string, string> & { differences: Doubt[] }>(
    proveChunk(legacy, { rows, idType: types.id, finality }),
    values,
  );
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, Number(row[name])])) as Counters;
  return { counters, differences: row.differences };
}

/** Re-judges the doubtful keys from scratch and replaces what they had added to the counters. */
async function lookAgain(
  database: Database,
  schema: MappedSchema,
  { total, doubts, finality, stop }: { total: Counters; doubts: Doubt[]; finality: Finality; stop: AbortSignal },
): Promise<{ counters: Counters; differences: Difference[] }> {
  let seen = doubts;
  for (let look = 0; look < POLICIES.doubt.tries && seen.length > 0; look += 1) {
    if (look > 0) await pause(pauseBefore(look, POLICIES.doubt), stop);
    await replaceProofDuplicates(database, expectedDuplicates(schema, finality));
    const ids = seen.map((d) => d.key_id);
    const now = await database.readOnly((s) => runChunk(s, schema, { rows: 'ids', values: [ids], finality }));
    for (const { counts } of seen) for (const name of COUNTERS) total[name] -= counts[name] ?? 0;
    addCounters(total, now.counters);
    // What is clear now has been counted as such; only the rest may be counted again.
    seen = now.differences;
  }
  return { counters: total, differences: seen.map((doubt) => withoutCounts(doubt)) };
}

function withoutCounts(doubt: Doubt): Difference {
  const { counts, ...difference } = doubt;
  void counts;
  return difference;
}
