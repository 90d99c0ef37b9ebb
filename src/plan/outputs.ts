import { checkOutput, type Output } from '../files/placement.js';

/** The files that `plan` writes, by the flag that names each. */
export interface PlanFiles {
  notice?: string | undefined;
  keys?: string | undefined;
  dormant?: string | undefined;
  out?: string | undefined;
}

/** The file of `--notice`. */
export const noticeOutput = (file: string): Output => ({ file, what: 'the notice file', code: 'notice_unwritable' });

/** The file of `--keys`. */
export const keysOutput = (file: string): Output => ({ file, what: 'the list of keys', code: 'list_unwritable' });

/** The file of `--dormant`. */
export const dormantOutput = (file: string): Output => ({
  file,
  what: 'the list of dormant keys',
  code: 'list_unwritable',
});

/** The file of `--out`. */
export const savedPlanOutput = (file: string): Output => ({
  file,
  what: 'the saved plan',
  code: 'saved_plan_unwritable',
});

/** Refuses files that cannot be written, before the keys are counted. @throws the error of the output */
export function checkOutputs({ notice, keys, dormant, out }: PlanFiles): void {
  if (notice !== undefined) checkOutput(noticeOutput(notice));
  if (keys !== undefined) checkOutput(keysOutput(keys));
  if (dormant !== undefined) checkOutput(dormantOutput(dormant));
  if (out !== undefined) checkOutput(savedPlanOutput(out));
}
