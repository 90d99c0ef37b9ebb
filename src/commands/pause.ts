import type { Run } from './context.js';
import { changeSteering } from './steering.js';

export const run: Run<object> = (context) =>
  changeSteering(context, {
    kind: 'paused',
    change: { paused: true },
    words: {
      done: 'Paused: batches under way are finished, no new one begins until keylift resume.',
      unchanged: 'Paused already: nothing changed.',
    },
  });
