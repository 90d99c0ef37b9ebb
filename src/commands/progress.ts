import type { Progress } from '../stages/context.js';
import type { CommandContext } from './context.js';

const EVERY_MS = 2_000;

/** Progress as log lines on stderr: each stage, each reason to wait once, and the count of rows now and then. */
export function progressOn({ logger }: Pick<CommandContext, 'logger'>, now: () => number = () => performance.now()): Progress {
  let rows = 0;
  let moved = 0;
  let told = now();
  let reason = '';
  return {
    stage: (stage) => { logger.info(`stage ${stage}`, { stage }); },
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
      if (now() - told < EVERY_MS) return;
      told = now();
      logger.info(`  ${String(rows)} keys looked at, ${String(moved)} moved`, { rows, moved });
    },
  };
}
