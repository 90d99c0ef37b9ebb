import { LEFT_BEHIND } from '../mapping/archive.js';
import type { Installed } from '../ledger/installed.js';

/** What finalize made final. Without it every row is judged by what it is now, as the mirror judges it. */
export interface Finality {
  /** SQL over `k`: a row that finalize left in the legacy table, to go on there as it was, whatever is changed in it. */
  leftBehind: string;
  /** The archive is gone for good: account keys have nothing left to be held against. */
  purged: boolean;
}

export const NOTHING_FINAL: Finality = { leftBehind: 'false', purged: false };

/** After finalize the mirror is removed. While rows are archived or restored, it still carries changes. */
export function finalityOf({ state, archive }: Installed): Finality {
  const isFinal = state?.state === 'finalized' || state?.state === 'purged';
  return isFinal && archive ? { leftBehind: LEFT_BEHIND, purged: state.state === 'purged' } : NOTHING_FINAL;
}
