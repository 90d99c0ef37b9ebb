import type { Database } from '../../database/connect.js';
import type { WriteSession } from '../../database/session.js';
import { POLICIES } from '../../database/retry.js';
import type { BatchLine, BatchReport, ClaimedRange, Copied } from '../../run/events.js';
import { requireLease } from '../../run/fence.js';
import type { Run } from '../../ledger/runs.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { stretches, type Stretch } from './claim.js';
import { copyRange, type RangeCounts } from './copy-statements.js';
import { CLAIM_RANGES, FINISH_BATCH, JOIN_RANGES, trimRange } from './range-statements.js';

export interface BatchOptions {
  run: Run;
  /** Ranges to claim at once. */
  ranges: number;
  /** Keys to copy at most, where one range has more. */
  mostKeys?: number;
  statementTimeoutMs: number;
  /** Called with the ranges of the batch, for the case that it fails. */
  onClaim?: (ranges: readonly ClaimedRange[]) => void;
  /** Default: that of the retry policy. */
  lockTimeoutMs?: number;
}

/**
 * One batch: claims ranges, copies their keys, gives each key an outcome and writes its ledger lines, all in one
 * transaction. Null when no range is free.
 *
 * @throws `lease_lost` when another run took over; nothing was written then.
 */
export async function runBatch(
  database: Database,
  schema: MappedSchema,
  options: BatchOptions,
): Promise<BatchReport | null> {
  const limits = {
    lockTimeoutMs: options.lockTimeoutMs ?? POLICIES.batch.lockTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    asynchronousCommit: true,
    retry: 'none',
  } as const;
  return database.transaction(
    async (session) => {
      const started = performance.now();
      await session.query(`SET LOCAL work_mem = '32MB'`);
      const claimed = await claim(session, schema, options);
      if (claimed.length === 0) return null;
      options.onClaim?.(claimed);
      await requireLease(session, options.run);
      const { holds } = await session.one<{ holds: boolean }>('SELECT EXISTS (SELECT FROM keylift.holds) AS holds');
      const total: BatchReport = {
        rows: 0,
        moved: 0,
        stayed: 0,
        setAside: 0,
        seconds: 0,
        ranges: claimed.length,
        lines: [],
      };
      for (const stretch of stretches(claimed)) {
        const done = await copyStretch(session, schema, { stretch, holds });
        const line = {
          ...done,
          batchNo: stretch.ranges[0]!.batch_no,
          after: stretch.after,
          upto: stretch.upto,
          seconds: (performance.now() - started) / 1000,
        };
        await writeLedgerLine(session, { stretch, line, run: options.run });
        total.lines.push(line);
        total.rows += done.rows;
        total.moved += done.moved;
        total.stayed += done.stayed;
        total.setAside += done.setAside;
      }
      total.seconds = (performance.now() - started) / 1000;
      return total;
    },
    { name: 'backfill: copy a batch', ...limits },
  );
}

/** Free ranges. A range that is larger than the batch may be leaves the other keys to a range of their own. */
async function claim(
  session: WriteSession,
  { legacy }: MappedSchema,
  { ranges, mostKeys }: BatchOptions,
): Promise<ClaimedRange[]> {
  const { rows: claimed } = await session.query<ClaimedRange>(CLAIM_RANGES, [ranges]);
  if (mostKeys === undefined || claimed.length !== 1) return claimed;
  const trimmed = await session.first<ClaimedRange>(trimRange(legacy), [claimed[0]!.batch_no, mostKeys]);
  return [trimmed ?? claimed[0]!];
}

async function copyStretch(
  session: WriteSession,
  { legacy: l, types, searchPath }: MappedSchema,
  { stretch, holds }: { stretch: Stretch; holds: boolean },
): Promise<Copied> {
  const counts = await session.one<RangeCounts>(copyRange(l, { idType: types.id, holds }), [
    stretch.after,
    stretch.upto,
  ]);
  await session.query(`SET LOCAL search_path = ${searchPath}`);
  const [rows, moved, stayed, setAside] = [counts.rows, counts.moved, counts.stayed, counts.excluded].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  // A trigger of the platform on the new table may have kept a row out.
  if (rows !== moved + stayed + setAside) {
    throw new Error(
      `a batch left ${String(rows - moved - stayed - setAside)} keys unaccounted for between ${String(stretch.after)} and ${stretch.upto}`,
    );
  }
  return { rows, moved, stayed, setAside };
}

/** Adjacent ranges of one batch become one line: the first range grows over the others. */
async function writeLedgerLine(
  session: WriteSession,
  { stretch, line, run }: { stretch: Stretch; line: BatchLine; run: Run },
): Promise<void> {
  const [, ...others] = stretch.ranges;
  const last = others.at(-1);
  if (last !== undefined) {
    await session.query(JOIN_RANGES, [line.batchNo, others.map((r) => r.batch_no), last.batch_no]);
  }
  await session.query(FINISH_BATCH, [
    line.batchNo,
    run.runId,
    line.rows,
    line.moved,
    line.stayed,
    line.setAside,
    line.seconds,
  ]);
}
