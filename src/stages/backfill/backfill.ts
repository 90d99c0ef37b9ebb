import type { StageContext } from '../context.js';
import { analyzeTarget, copyAll } from './copy.js';
import { prepareRanges } from './ranges.js';
import { sweep } from './sweep.js';

/** Moves all keys there are, in batches; the mirror has carried every change since expand. */
export async function backfill(context: StageContext): Promise<void> {
  await prepareRanges(context);
  await copyAll(context);
  await analyzeTarget(context);
  await sweep(context);
}
