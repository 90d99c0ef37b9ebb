import type { Run } from './command.js';
import type { pauseCommand } from './definitions/control.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof pauseCommand> = (context) =>
  changeSteering(context, {
    kind: 'paused',
    change: { paused: true },
    lines: {
      done: 'Paused: the run finishes its batches and starts no new one until keylift resume.',
      unchanged: 'Already paused: nothing changed.',
    },
  });
