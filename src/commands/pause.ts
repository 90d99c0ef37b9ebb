import type { Run } from './command.js';
import type { pauseCommand } from './definitions/control.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof pauseCommand> = (context) =>
  changeSteering(context, {
    kind: 'paused',
    change: { paused: true },
    words: {
      done: 'Paused: batches under way are finished, no new one begins until keylift resume.',
      unchanged: 'Paused already: nothing changed.',
    },
  });
