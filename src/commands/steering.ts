import { ALL_STEPS } from '../../migrations/index.js';
import { version } from '../config/package-root.js';
import type { Database } from '../database/connect.js';
import { withRetry } from '../database/with-retry.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { requireAllowed } from '../ledger/allowed.js';
import { shownControl, steer, type Control } from '../ledger/control.js';
import { recordEvent } from '../ledger/events.js';
import { readInstalled } from '../ledger/installed.js';
import { refuseLaterVersion } from '../ledger/later-version.js';
import { changesOf, steeringText, type SteeringLines } from '../console/steering-text.js';
import type { CommandContext } from './context.js';

interface Change {
  /** The kind of the event. */
  kind: string;
  change: Partial<Control>;
  lines: SteeringLines;
  /** Runs before the change, and may refuse it. */
  check?: (database: Database) => Promise<void>;
}

/** Changes the controls of a run and prints the old and new values: schemas/steering.schema.json. */
export async function changeSteering(
  context: CommandContext,
  { kind, change, lines, check }: Change,
): Promise<ExitCode> {
  const database = await context.openDatabase();
  await check?.(database);
  const steered = await withRetry(database, context).transaction(
    async (session) => {
      await refuseLaterVersion(session, { version: version(), steps: ALL_STEPS });
      const { state } = await readInstalled(session, context.settings);
      requireAllowed('pause, resume, tune', state);
      const outcome = await steer(session, change);
      await recordEvent(session, { kind, facts: shownControl(change) });
      return outcome;
    },
    { name: 'steering: change the settings of a run' },
  );
  if (context.json) context.printAnswer({ ...shownControl(steered.after), changed: changesOf(steered) });
  else context.write(steeringText(steered, lines));
  return EXIT.done;
}
