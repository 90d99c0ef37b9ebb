import { counted, grouped } from '../report/text.js';
import type { Progress } from '../stages/context.js';
import type { CommandContext } from './context.js';

/** Lines are this far apart at least and at most; in between, a tenth of what the run has taken so far. */
const LEAST_MS = 2_000;
const MOST_MS = 30_000;

/** Progress as log lines on stderr: each stage, each reason to wait once, and the count of rows now and then. */
export function progressOn({ logger }: Pick<CommandContext, 'logger'>, now: () => number = () => performance.now()): Progress {
  let rows = 0;
  let moved = 0;
  let began = now();
  let told = began;
  let reason = '';
  const gap = (): number => Math.min(MOST_MS, Math.max(LEAST_MS, (now() - began) / 10));
  return {
    stage: (stage) => {
      began = told = now();
      logger.info(`stage ${stage}`, { stage });
    },
    looked: (keys) => { logger.info(`  ${counted(keys, 'key')} looked at`, { keys }); },
    note: (text) => { logger.info(`  ${text}`); },
    waiting: (why) => {
      if (why !== reason) logger.info(`  waiting: ${why}`, { reason: why });
      reason = why;
    },
    batch: (report) => {
      rows += report.rows;
      moved += report.moved;
      reason = '';
      logger.debug('batch', { ...report });
      if (now() - told < gap()) return;
      told = now();
      const rate = Math.round(rows / ((told - began) / 1000));
      logger.info(`  ${counted(rows, 'key')} looked at, ${grouped(moved)} moved, ${grouped(rate)} rows/s`, { rows, moved, rows_per_second: rate });
    },
  };
}
