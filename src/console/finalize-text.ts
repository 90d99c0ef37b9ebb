import type { FinalizeReport } from '../stages/finalize/finalize.js';
import { counted } from '../format.js';

/** What finalize did, and what is possible from here. */
export function finalizeText({ state, archived }: FinalizeReport): string {
  return state === 'purged'
    ? `Purged: ${counted(archived, 'archived per-API row')} deleted. There is no way back.\n`
    : `Finalized: ${counted(archived, 'per-API row')} in the archive; keylift rollback still brings them back, until finalize --purge.\n`;
}
