/**
 * What a run may wait for: an operator's pause, a replica, sessions that keylift blocks, too many sessions at work,
 * autovacuum, a lost connection, ranges that somebody else holds, locks that a step of DDL needs.
 */
export const WAIT_KINDS = ['paused', 'lag', 'blocked', 'active', 'vacuum', 'connection', 'ranges', 'lock'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** A reason to wait: its kind for programs, and a sentence, with numbers that may change, for people. */
export interface Wait {
  kind: WaitKind;
  text: string;
  /** Of the server's error that told of it. */
  sqlstate?: string | undefined;
}
