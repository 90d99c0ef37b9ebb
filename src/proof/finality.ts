import type { ReadSession } from '../database/session.js';
import { hasArchive, LEFT_BEHIND } from '../mapping/archive.js';
import { readState } from '../ledger/migration.js';

/** What finalize made final. Without it every row is judged by what it is now, as the mirror judges it. */
export interface Finality {
  /** SQL over `k`: a row that finalize left in the legacy table, to go on there as it was, whatever is changed in it. */
  leftBehind: string;
  /** The archive is gone for good: account keys have nothing left to be held against. */
  purged: boolean;
}

export const NOTHING_FINAL: Finality = { leftBehind: 'false', purged: false };

/** Final is what the mirror carries no more: while rows are archived or restored, it is on. */
export async function readFinality(session: ReadSession): Promise<Finality> {
  const state = (await readState(session))?.state;
  if ((state !== 'finalized' && state !== 'purged') || !(await hasArchive(session))) return NOTHING_FINAL;
  return { leftBehind: LEFT_BEHIND, purged: state === 'purged' };
}
