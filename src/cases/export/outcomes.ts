import path from 'node:path';
import { readUtf8 } from '../files.js';
import { SNAPSHOT_DIRECTORY } from '../fixture.js';
import type { Exported } from './export.js';

/** What the plan of a case came to, as its snapshot has it; null where there is none. */
export async function readPlannedOutcomes(
  directory: string,
): Promise<Pick<Exported, 'outcomes' | 'exceptions_by_reason'> | null> {
  const { text } = await readUtf8(path.join(directory, SNAPSHOT_DIRECTORY, 'plan.json'));
  return text === undefined ? null : (JSON.parse(text) as Pick<Exported, 'outcomes' | 'exceptions_by_reason'>);
}
