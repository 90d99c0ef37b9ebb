import type { Run } from './context.js';
import { changeSteering } from './steering.js';

export const run: Run<object> = (context) =>
  changeSteering(context, {
    kind: 'resumed',
    change: { paused: false },
    words: { done: 'Resumed: batches go on.', unchanged: 'Not paused: nothing changed.' },
  });
