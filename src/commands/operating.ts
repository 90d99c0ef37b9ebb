import type { LivePicture } from '../console/live.js';
import type { Observe, OperationContext } from '../operations/context.js';
import { placeOf, type Opened } from '../operations/opened.js';
import type { RunListener } from '../run/events.js';
import { readStatus } from '../status/status.js';
import type { CommandContext } from './context.js';
import { logRun } from './log-run.js';
import { keepingMetrics } from './metrics.js';

/** A command's context as that of its operation. */
export const operating = (
  context: CommandContext,
  { metricsFile }: { metricsFile?: string | undefined } = {},
): OperationContext => ({
  settings: context.settings,
  configFile: context.configFile,
  databaseUrl: context.databaseUrl,
  recorded: context.recorded,
  openDatabase: context.openDatabase.bind(context),
  env: context.io.env,
  stop: context.stop,
  emit: logRun(context),
  observe: observer(context, metricsFile),
});

/** A run is shown as a picture where it goes through stages and the terminal can, else as lines of the log. */
const observer =
  (context: CommandContext, metricsFile: string | undefined): Observe =>
  (opened, { until }, work) =>
    keepingMetrics(context, { ...opened, file: metricsFile }, async () => {
      const picture = until === undefined || context.quiet ? undefined : await beginPicture(context, opened);
      const listeners = picture === undefined ? [logRun(context)] : [toFile(context), picture.listen];
      return work(listeners).finally(() => picture?.end());
    });

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
