import type { StageContext } from '../../run/context.js';
import { allDone } from '../../database/together.js';
import { copyAll, failedRanges } from './copy.js';
import { judgeListed } from './judge.js';
import { prepareRanges } from './ranges.js';
import { judgeAgain, sweep } from './sweep.js';

/**
 * Moves all keys there are, in batches; the mirror has carried every change since expand. `beside` is begun with the
 * last look, which only reads as a rule: something that needs the keys and leaves a core idle.
 *
 * @throws `batches_failed` with the ranges that failed three times; all else is done then.
 */
export async function backfill(
  context: StageContext,
  { beside = () => Promise.resolve() }: { beside?: () => Promise<void> } = {},
): Promise<void> {
  const resumed = await hasBegun(context);
  // The mirror has moved what was written since expand, and a list of holds may have come after that.
  if (!resumed) await judgeAgain(context);
  await prepareRanges(context);
  const failed = await copyAll(context);
  await judgeListed(context);
  if (failed.length > 0) throw failedRanges(failed);
  // What an earlier run set aside may be judged otherwise by now; what this one did was judged a moment ago.
  if (resumed) await judgeAgain(context);
  await allDone([sweep(context), beside()]);
}

async function hasBegun({ database }: StageContext): Promise<boolean> {
  const { begun } = await database.readOnly((s) =>
    s.one<{ begun: boolean }>(
      `SELECT searched OR EXISTS (SELECT FROM keylift.batches b WHERE b.state = 'done' AND b.attempt = m.attempt) AS begun FROM keylift.migration m`,
    ),
  );
  return begun;
}
