import type { AccessAnswer } from './capture.js';

/** The answers for one token at one API before and after the move; null means no access. */
export interface AccessCell {
  before: string | null;
  after: string | null;
}

/** The row of one token: every API by slug. */
export interface AccessRow {
  fingerprint: string;
  apis: Record<string, AccessCell>;
}

/** Joins the answers before and after by token and API. A pair that one side lacks has no access there. */
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
