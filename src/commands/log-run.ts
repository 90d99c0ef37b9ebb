import { driftText } from '../console/drift-text.js';
import { counted, grouped, lookupText } from '../format.js';
import type { Wait } from '../database/waiting.js';
import type { Logger } from '../logging/logger.js';
import type { BatchReport, ClaimedRange, RetryEvent, RunEvent, Lookups, RunListener } from '../run/events.js';

/** Lines are this far apart at least and at most; in between, a tenth of the time that the stage has taken. */
const LEAST_MS = 2_000;
const MOST_MS = 30_000;

export interface Logs {
  logger: Logger;
  /** For the file alone: every batch, and what the terminal showed a moment ago. */
  fileLogger: Logger;
}

/**
 * The events of a run as lines of the log: each stage and each wait, and the count of rows at intervals. The log file
 * has every batch.
 */
export function logRun({ logger, fileLogger }: Logs, now: () => number = () => performance.now()): RunListener {
  const stage = { began: now(), rows: 0, moved: 0, shown: now() };
  let retried = '';
  const gap = (): number => Math.min(MOST_MS, Math.max(LEAST_MS, (now() - stage.began) / 10));
  const logWait = waitLog(logger, { now, gap });
  const logProgress = ({ rows, moved }: BatchReport): void => {
    stage.rows += rows;
    stage.moved += moved;
    if (now() - stage.shown < gap()) return;
    stage.shown = now();
    const rate = Math.round(stage.rows / ((now() - stage.began) / 1000));
    const text = `  ${counted(stage.rows, 'key')} looked at, ${grouped(stage.moved)} moved, ${grouped(rate)} rows/s`;
    logger.info('progress', text, { rows: stage.rows, moved: stage.moved, rows_per_second: rate });
  };
  const logLookups = lookupsLog({ logger, fileLogger }, { now, gap });
  return (event) => {
    switch (event.kind) {
      case 'run':
        logger.carry({ run_id: event.runId });
        fileLogger.info('run', `run ${event.runId}`, { command: event.command });
        break;
      case 'stage':
        stage.began = stage.shown = now();
        logger.carry({ stage: event.stage });
        logger.info('stage', `stage ${event.stage}${event.note === undefined ? '' : ` (${event.note})`}`);
        break;
      case 'stage_done':
        fileLogger.info('stage_done', `stage ${event.stage} is done`, {
          stage: event.stage,
          ms: milliseconds(event.seconds),
        });
        break;
      case 'progress':
        logger.info('progress', `  ${counted(event.keys, 'key')} looked at`, { rows: event.keys });
        break;
      case 'step':
        logger.info('step', `  ${event.text}`, event.rows === undefined ? {} : { rows: event.rows });
        break;
      case 'waiting':
        logWait(event.wait);
        break;
      case 'lookups':
        logLookups(event.lookups);
        break;
      case 'retry':
        (event.text === retried ? fileLogger : logger).info('retry', `  ${event.text}`, retryFields(event));
        retried = event.text;
        break;
      case 'given_up':
        logGivenUp(logger, event.range, event.sqlstate);
        break;
      case 'batch':
        retried = '';
        logBatch(fileLogger, event.report);
        logProgress(event.report);
        break;
      default:
        logOutsideOfRun(logger, event);
    }
  };
}

/** Events of an operation that belong to no run. */
type OutsideOfRun = Extract<RunEvent, { kind: 'doubt' | 'reviewed' | 'replayed' | 'answer' }>;

function logOutsideOfRun(logger: Logger, event: OutsideOfRun): void {
  switch (event.kind) {
    case 'doubt':
      logger.warn('doubt', event.text);
      break;
    case 'reviewed':
      logger.info('reviewed', driftText(event.drift, event));
      break;
    case 'replayed':
      logger.info('progress', `  ${counted(event.decisions, 'decision')} replayed`, { rows: event.decisions });
      break;
    case 'answer':
      logger.info('answer', `  ${event.text}`);
  }
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

/** The lines of the ledger: a batch over ranges that are far apart has several. */
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

const stateField = (sqlstate: string | undefined): { sqlstate?: string } =>
  sqlstate === undefined ? {} : { sqlstate };

function retryFields({ reason, sqlstate, ranges = [] }: RetryEvent): Parameters<Logger['info']>[2] {
  return {
    reason,
    ...stateField(sqlstate),
    ...(ranges.length === 1 ? { batch: Number(ranges[0]!.batch_no), ...rangeOf(ranges[0]!) } : {}),
    ...(ranges.length > 1 ? { ranges: ranges.map(rangeOf) } : {}),
  };
}

function logGivenUp(log: Logger, range: ClaimedRange, sqlstate: string | undefined): void {
  const { from, to } = rangeOf(range);
  log.warn(
    'given_up',
    `the range after ${from ?? 'the start'} up to ${to} failed ${String(range.tries)} times; ` +
      'the next run tries it again',
    { batch: Number(range.batch_no), from, to, tries: range.tries, ...stateField(sqlstate) },
  );
}

/** A wait whose text changes (a lag that grows) has a further line now and then; its end has a line with its length. */
function waitLog(log: Logger, { now, gap }: { now: () => number; gap: () => number }): (wait: Wait | null) => void {
  let waiting: { wait: Wait; since: number; shown: number } | null = null;
  return (wait) => {
    const same = wait !== null && wait.kind === waiting?.wait.kind;
    if (same && (wait.text === waiting!.wait.text || now() - waiting!.shown < gap())) return;
    if (!same && waiting !== null)
      log.info('went_on', '  continues', { kind: waiting.wait.kind, ms: Math.round(now() - waiting.since) });
    if (wait !== null) {
      const { kind, text, sqlstate } = wait;
      log.info('waiting', `  waiting: ${text}`, { kind, reason: text, ...stateField(sqlstate) });
    }
    waiting = wait === null ? null : { wait, since: same ? waiting!.since : now(), shown: now() };
  };
}

/** The log file has each measurement, the terminal one now and then. */
function lookupsLog(
  { logger, fileLogger }: Logs,
  { now, gap }: { now: () => number; gap: () => number },
): (lookups: Lookups) => void {
  let shown = -Infinity;
  return ({ p95, limit, samples }) => {
    const due = p95 !== null && now() - shown >= gap();
    if (due) shown = now();
    (due ? logger : fileLogger).info('lookups', `  ${p95 === null ? NOT_TIMED : lookupText(p95, limit)}`, {
      lookup_ms: p95 === null ? null : p95 * 1000,
      limit_ms: limit * 1000,
      samples,
    });
  };
}

const NOT_TIMED = 'key lookups are being timed';
