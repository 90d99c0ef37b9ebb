/**
 * What a run may wait for: the end of a pause, a replica, sessions that keylift blocks, too many active sessions,
 * autovacuum, a connection, ranges that another run holds, a lock, the operator's own query or URL, slow
 * key lookups.
 */
export const WAIT_KINDS = [
  'paused',
  'lag',
  'blocked',
  'active',
  'vacuum',
  'connection',
  'ranges',
  'lock',
  'query',
  'url',
  'latency',
] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** A reason to wait: its kind for programs, and a sentence, with numbers that may change, for people. */
export interface Wait {
  kind: WaitKind;
  text: string;
  /** Of the server's error, where there was one. */
  sqlstate?: string | undefined;
}
