import type { Wait } from '../database/waiting.js';
import type { BatchReport } from './backfill/batch.js';
import type { ClaimedRange } from './backfill/claim.js';

/** A try that failed and is made again. */
export interface Retry {
  /** For people. */
  text: string;
  /** What comes next: less at once, the same again, or the same in a new connection. */
  reason: 'smaller' | 'again' | 'reconnect';
  /** Of the server's error; undefined where the network failed. */
  sqlstate?: string | undefined;
  /** What a batch had claimed. */
  ranges?: readonly ClaimedRange[];
}

/** What a stage tells whoever watches. */
export interface Progress {
  /** The run has its place in the ledger. */
  run: (run: { runId: string; command: string }) => void;
  stage: (stage: string) => void;
  stageDone: (stage: string, seconds: number) => void;
  batch: (report: BatchReport) => void;
  retry: (retry: Retry) => void;
  /** A range failed too often and is left for a person. */
  givenUp: (range: ClaimedRange, sqlstate: string | undefined) => void;
  /** Why nothing goes on; null: it goes on. */
  waiting: (wait: Wait | null) => void;
  /** Keys that a stage without batches has been through so far. */
  looked: (keys: number) => void;
  /** What was done, and with how many rows, where that is counted. */
  note: (text: string, rows?: number) => void;
}

/** For whoever has nobody to tell. */
export const UNTOLD: Progress = {
  run: () => undefined,
  stage: () => undefined,
  stageDone: () => undefined,
  batch: () => undefined,
  retry: () => undefined,
  givenUp: () => undefined,
  waiting: () => undefined,
  looked: () => undefined,
  note: () => undefined,
};

/** Tells both. */
export const both = (a: Progress, b: Progress): Progress => ({
  run: (run) => {
    a.run(run);
    b.run(run);
  },
  stage: (stage) => {
    a.stage(stage);
    b.stage(stage);
  },
  stageDone: (stage, seconds) => {
    a.stageDone(stage, seconds);
    b.stageDone(stage, seconds);
  },
  batch: (report) => {
    a.batch(report);
    b.batch(report);
  },
  retry: (retry) => {
    a.retry(retry);
    b.retry(retry);
  },
  givenUp: (range, sqlstate) => {
    a.givenUp(range, sqlstate);
    b.givenUp(range, sqlstate);
  },
  waiting: (wait) => {
    a.waiting(wait);
    b.waiting(wait);
  },
  looked: (keys) => {
    a.looked(keys);
    b.looked(keys);
  },
  note: (text, rows) => {
    a.note(text, rows);
    b.note(text, rows);
  },
});
