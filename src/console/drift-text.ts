import { signed } from './fact-table.js';
import type { Drift } from '../plan/saved/drift.js';

/** The drift that `migrate --plan` accepts, as one line of the log. */
export function driftText(
  drift: readonly Drift[],
  { madeAt, tolerance }: { madeAt: string; tolerance: string },
): string {
  if (drift.length === 0) return `the database has the numbers of the saved plan of ${madeAt}`;
  const numbers = drift.map(({ number, difference }) => `${number} ${signed(difference)}`).join(', ');
  return `since the saved plan of ${madeAt}, within ${tolerance}: ${numbers}`;
}
