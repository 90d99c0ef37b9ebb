import type { Control } from '../ledger/control.js';
import type { Run } from './command.js';
import type { tuneCommand } from './definitions/control.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof tuneCommand> = (context, args) => {
  const change: Partial<Control> = {
    ...(args.concurrency === undefined ? {} : { concurrency: args.concurrency }),
    ...(args.batchTime === undefined ? {} : { batch_time: inSeconds(args.batchTime) }),
    ...(args.maxLag === undefined ? {} : { max_lag: inSeconds(args.maxLag) }),
  };
  return changeSteering(context, {
    kind: 'tuned',
    change,
    lines: {
      done: 'Tuned: the run uses the new values from its next batch.',
      unchanged: 'These values are set already: nothing changed.',
    },
  });
};

const inSeconds = (milliseconds: number | null): number | null => (milliseconds === null ? null : milliseconds / 1000);
