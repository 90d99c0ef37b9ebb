import type { LivePicture } from '../console/live.js';
import type { RunListener } from '../run/events.js';
import { withRun, type RunOrder, type RunSettings } from '../run/run.js';
import { readStatus } from '../status/status.js';
import type { CommandContext } from './context.js';
import { logRun } from './log-run.js';
import { keepingMetrics } from './metrics.js';
import { placeOf, type Opened } from './opened.js';

/** A command's run: shown as a picture where it goes through stages and the terminal can, else as lines of the log. */
export async function startRun<T>(
  context: CommandContext,
  opened: Opened,
  { metricsFile, ...order }: RunOrder<T> & { metricsFile: string | undefined },
): Promise<T> {
  return keepingMetrics(context, { ...opened, file: metricsFile }, async () => {
    const picture = order.until === undefined || context.quiet ? undefined : await beginPicture(context, opened);
    const listeners = picture === undefined ? [logRun(context)] : [toFile(context), picture.listen];
    return withRun(settingsOf(context, opened, listeners), order).finally(() => picture?.end());
  });
}

/** What a run needs of its command. */
export const settingsOf = (
  context: CommandContext,
  opened: Opened,
  listeners: readonly RunListener[] = [logRun(context)],
): RunSettings => ({ ...opened, url: context.databaseUrl!, stop: context.stop, listeners });

const toFile = ({ fileLogger }: CommandContext): RunListener => logRun({ logger: fileLogger, fileLogger });

async function beginPicture(
  { terminal }: CommandContext,
  { database, schema }: Opened,
): Promise<LivePicture | undefined> {
  const { paintRun } = await import('../console/live.js');
  return paintRun({
    terminal,
    place: placeOf(database),
    read: () => database.readOnly((session) => readStatus(session, schema), { afterStop: true }),
  });
}
