import type { AccessAnswer } from './capture.js';

/** Who answers for one token at one API before and after the move; null is a closed door. */
export interface AccessCell {
  before: string | null;
  after: string | null;
}

/** One token's row of the matrix: every API by slug. */
export interface AccessRow {
  fingerprint: string;
  apis: Record<string, AccessCell>;
}

/** Joins the answers before and after by token and API; what only one side knows is closed on the other. */
export function accessMatrix(answers: {
  before: readonly AccessAnswer[];
  after: readonly AccessAnswer[];
}): AccessRow[] {
  const rows = new Map<string, AccessRow>();
  for (const side of ['before', 'after'] as const) {
    for (const { fingerprint, api, answer } of answers[side]) {
      const row = rows.get(fingerprint) ?? { fingerprint, apis: {} };
      rows.set(fingerprint, row);
      (row.apis[api] ??= { before: null, after: null })[side] = answer;
    }
  }
  return [...rows.values()].sort((one, other) => (one.fingerprint < other.fingerprint ? -1 : 1));
}
