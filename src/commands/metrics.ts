import type { Database } from '../database/connect.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readMetrics } from '../metrics/facts.js';
import { withMetricsFile } from '../metrics/file.js';
import type { CommandContext } from './context.js';

/**
 * Does `work` and keeps the file of `--metrics-file` up to date. Without a file it only does `work`.
 *
 * @throws `metrics_unwritable`
 */
export async function keepingMetrics<T>(
  { logger }: Pick<CommandContext, 'logger'>,
  { database, schema, file }: { database: Database; schema: MappedSchema; file: string | undefined },
  work: () => Promise<T>,
): Promise<T> {
  if (file === undefined) return work();
  return withMetricsFile(
    {
      file,
      database: database.where.database,
      read: () => database.readOnly((session) => readMetrics(session, schema), { afterStop: true }),
      onFailure: (error) => {
        logger.warn('metrics', `${(error as Error).message}; the run continues`);
      },
    },
    work,
  );
}
