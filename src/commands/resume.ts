import type { Run } from './command.js';
import type { resumeCommand } from './definitions/control.js';
import { changeSteering } from './steering.js';

export const run: Run<typeof resumeCommand> = (context) =>
  changeSteering(context, {
    kind: 'resumed',
    change: { paused: false },
    lines: { done: 'Resumed: batches continue.', unchanged: 'Not paused: nothing changed.' },
  });
