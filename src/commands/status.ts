import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../errors.js';
import { repainter } from '../report/repaint.js';
import { statusEssence, statusLine, statusText } from '../report/status-text.js';
import { readStatus, type Status } from '../status/status.js';
import { watch } from '../status/watch.js';
import type { CommandContext, Run } from './context.js';
import type { StatusArguments } from './definitions/looking.js';
import { openMigration } from './migration.js';

export const run: Run<StatusArguments> = async (context, args) => {
  const { database, schema } = await openMigration(context);
  const read = () => database.readOnly((session) => readStatus(session, schema));
  if (args.watch) {
    await watch({
      read, show: shower(context), stop: context.stop, now: () => performance.now(),
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    });
    return EXIT.done;
  }
  const status = await read();
  if (context.json) context.printAnswer(status);
  else context.write(statusText(status));
  return EXIT.done;
};

/** In place where a terminal can do that; elsewhere, and with NO_COLOR, a line when something changed. */
function shower({ io, write }: CommandContext): (status: Status) => void {
  if (io.isTTY.stdout && (io.env.NO_COLOR ?? '') === '' && io.env.TERM !== 'dumb') {
    const paint = repainter(write, () => (io.stdout as { columns?: number }).columns ?? 80);
    return (status) => { paint(statusText(status)); };
  }
  let told = '';
  return (status) => {
    const essence = statusEssence(status);
    if (essence !== told) write(statusLine(status));
    told = essence;
  };
}
