import { LIFTED, type Control } from '../ledger/control.js';
import type { Run } from './command.js';
import type { tuneCommand } from './definitions/control.js';
import { checkQuery } from '../operations/check-throttle.js';
import { countReplicas } from '../stages/backfill/reasons.js';
import type { CommandContext } from './context.js';
import type { Database } from '../database/connect.js';
import type { Arguments } from './read-arguments.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof tuneCommand> = (context, args) =>
  changeSteering(context, {
    kind: 'tuned',
    change: changeOf(args),
    check: async (database) => {
      if (args.throttleQuery !== LIFTED.text) await checkQuery(context.databaseUrl!, args.throttleQuery);
      if (typeof args.maxLag === 'number') await warnWithoutReplica(context, database);
    },
    lines: {
      done: 'Tuned: the run uses the new values from its next batch.',
      unchanged: 'These values are set already: nothing changed.',
    },
  });

/** The flags that are given. */
function changeOf(args: Arguments<typeof tuneCommand>): Partial<Control> {
  const change: { [Name in keyof Control]?: Control[Name] | undefined } = {
    concurrency: args.concurrency,
    batch_time: inSeconds(args.batchTime),
    batch_size: args.batchSize,
    max_lag: inSeconds(liftedNumber(args.maxLag)),
    max_active: liftedNumber(args.maxActive),
    throttle_query: args.throttleQuery,
    throttle_url: args.throttleUrl,
    max_latency: inSeconds(liftedNumber(args.maxLatency)),
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

type Given<T> = T | null | undefined;

const liftedNumber = (value: Given<number | 'none'>): Given<number> => (value === LIFTED.text ? LIFTED.number : value);
const inSeconds = (milliseconds: Given<number>): Given<number> =>
  milliseconds == null ? milliseconds : milliseconds / 1000;

/** For `tune`: a replica may connect later, so the change is made. */
async function warnWithoutReplica({ logger }: CommandContext, database: Database): Promise<void> {
  if ((await database.readOnly(countReplicas)) > 0) return;
  logger.warn(
    'doubt',
    'no replica is connected, so a run waits until one is; to continue without a limit: keylift tune --max-lag none',
  );
}
