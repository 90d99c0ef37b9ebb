import type { Wait } from '../database/waiting.js';
import { counted, grouped } from '../format.js';
import type { Logger } from '../logging/logger.js';
import type { BatchReport } from '../stages/backfill/batch.js';
import type { ClaimedRange } from '../stages/backfill/claim.js';
import type { Progress, Retry } from '../stages/progress.js';

/** Lines are this far apart at least and at most; in between, a tenth of what the run has taken so far. */
const LEAST_MS = 2_000;
const MOST_MS = 30_000;

export interface Logs {
  logger: Logger;
  /** For the file alone: every batch, and what the terminal was told a moment ago. */
  fileLogger: Logger;
}

/** Progress as lines of the log: each stage, each reason to wait, and the count of rows now and then; in the file every batch. */
export function progressOn({ logger, fileLogger }: Logs, now: () => number = () => performance.now()): Progress {
  let rows = 0;
  let moved = 0;
  let began = now();
  let told = began;
  let retried = '';
  const gap = (): number => Math.min(MOST_MS, Math.max(LEAST_MS, (now() - began) / 10));
  return {
    run: ({ runId, command }) => {
      logger.carry({ run_id: runId });
      fileLogger.info('run', `run ${runId}`, { command });
    },
    stage: (stage) => {
      began = told = now();
      logger.carry({ stage: stage.split(' ')[0]! });
      logger.info('stage', `stage ${stage}`);
    },
    stageDone: (stage, seconds) => {
      fileLogger.info('stage_done', `stage ${stage} is done`, { stage, ms: milliseconds(seconds) });
    },
    looked: (keys) => {
      logger.info('progress', `  ${counted(keys, 'key')} looked at`, { rows: keys });
    },
    note: (text, done) => {
      logger.info('step', `  ${text}`, done === undefined ? {} : { rows: done });
    },
    waiting: waitsOn(logger, { now, gap }),
    retry: (retry) => {
      (retry.text === retried ? fileLogger : logger).info('retry', `  ${retry.text}`, retryFields(retry));
      retried = retry.text;
    },
    givenUp: (range, sqlstate) => {
      logger.warn('given_up', ...givenUp(range, sqlstate));
    },
    batch: (report) => {
      rows += report.rows;
      moved += report.moved;
      retried = '';
      logBatch(fileLogger, report);
      if (now() - told < gap()) return;
      told = now();
      const rate = Math.round(rows / ((told - began) / 1000));
      logger.info('progress', `  ${counted(rows, 'key')} looked at, ${grouped(moved)} moved, ${grouped(rate)} rows/s`, {
        rows,
        moved,
        rows_per_second: rate,
      });
    },
  };
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

/** A line as the ledger has it: a batch over ranges far apart leaves several. */
function logBatch(log: Logger, { lines }: BatchReport): void {
  for (const { batchNo, after, upto, rows, moved, stayed, setAside, seconds } of lines) {
    log.info('batch', `batch ${batchNo}: ${counted(rows, 'key')}`, {
      batch: Number(batchNo),
      from: after,
      to: upto,
      rows,
      moved,
      stayed,
      set_aside: setAside,
      ms: milliseconds(seconds),
    });
  }
}

const rangeOf = ({ after_id: from, upto_id: to }: ClaimedRange): { from: string | null; to: string } => ({ from, to });

function retryFields({ reason, sqlstate, ranges = [] }: Retry): Parameters<Logger['info']>[2] {
  return {
    reason,
    ...(sqlstate === undefined ? {} : { sqlstate }),
    ...(ranges.length === 1 ? { batch: Number(ranges[0]!.batch_no), ...rangeOf(ranges[0]!) } : {}),
    ...(ranges.length > 1 ? { ranges: ranges.map(rangeOf) } : {}),
  };
}

function givenUp(range: ClaimedRange, sqlstate: string | undefined): [string, Parameters<Logger['warn']>[2]] {
  const { from, to } = rangeOf(range);
  return [
    `the range after ${from ?? 'the start'} up to ${to} failed ${String(range.tries)} times and is left for another run`,
    { batch: Number(range.batch_no), from, to, tries: range.tries, ...(sqlstate === undefined ? {} : { sqlstate }) },
  ];
}

/** A wait that goes on in other words (a lag that grows) is told again now and then; its end with how long it was. */
function waitsOn(log: Logger, { now, gap }: { now: () => number; gap: () => number }): Progress['waiting'] {
  let waiting: { wait: Wait; since: number; told: number } | null = null;
  const begin = ({ kind, text, sqlstate }: Wait): void => {
    log.info('waiting', `  waiting: ${text}`, { kind, reason: text, ...(sqlstate === undefined ? {} : { sqlstate }) });
  };
  return (wait) => {
    const same = wait !== null && wait.kind === waiting?.wait.kind;
    if (same && (wait.text === waiting!.wait.text || now() - waiting!.told < gap())) return;
    if (!same && waiting !== null)
      log.info('went_on', '  goes on', { kind: waiting.wait.kind, ms: Math.round(now() - waiting.since) });
    if (wait !== null) begin(wait);
    waiting = wait === null ? null : { wait, since: same ? waiting!.since : now(), told: now() };
  };
}
