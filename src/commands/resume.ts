import type { Run } from './command.js';
import type { resumeCommand } from './definitions/control.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof resumeCommand> = (context) =>
  changeSteering(context, {
    kind: 'resumed',
    change: { paused: false },
    words: { done: 'Resumed: batches go on.', unchanged: 'Not paused: nothing changed.' },
  });
