import { EXIT, type ExitCode } from '../errors.js';
import { steer, type Control } from '../ledger/control.js';
import { recordEvent } from '../ledger/events.js';
import type { CommandContext } from './context.js';

/** Changes a run's steering and answers with what was changed and what holds now. */
export async function changeSteering(
  context: CommandContext,
  { kind, change, done }: { kind: string; change: Partial<Control>; done: string },
): Promise<ExitCode> {
  const database = await context.openDatabase();
  const control = await database.transaction(async (session) => {
    const now = await steer(session, change);
    await recordEvent(session, { kind, facts: change });
    return now;
  });
  if (context.json) context.printAnswer(control);
  else context.write(`${done}\n${controlText(control)}\n`);
  return EXIT.done;
}

function controlText(c: Control): string {
  const own = (value: number | null, unit = ''): string => (value === null ? "the run's own" : `${String(value)}${unit}`);
  return `  ${c.paused ? 'paused' : 'not paused'}; concurrency: ${own(c.concurrency)}; batch time: ${own(c.batch_time, ' s')}; max lag: ${own(c.max_lag, ' s')}`;
}
