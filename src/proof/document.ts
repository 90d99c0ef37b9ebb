import type { MirrorState } from '../ledger/mirror-look.js';

/** One difference the proof found. Ids only: a token is never written down. */
export interface Difference {
  key_id: string | null;
  kind: 'missing' | 'extra' | 'different' | 'lost' | 'gained_store' | 'gained_custom' | 'gained_foreign' | 'revived';
  /** For `different`: the fields. */
  fields?: string[] | null;
  /** Counters of the authorization part this key adds to. */
  authorization?: string[];
  api_id?: string;
}

/** A difference as a chunk reports it, with what it added to the counters, so that a second look can take that back. */
export interface Doubt extends Difference {
  counts: Partial<Counters>;
}

/** What `verify --json` prints, and what the ledger keeps of a proof. */
export interface Proof {
  ok: boolean;
  keys: { compared: number; missing: number; extra: number; different: number };
  authorization: {
    lost: number;
    gained_store: number;
    predicted_gained_store: number;
    gained_custom: number;
    gained_foreign: number;
    revived: number;
  };
  mirror: MirrorState;
  /** At most 100. */
  differences: Difference[];
  /** Source rows looked at, chunks, pairs the real `authorize` was asked, and seconds. */
  rows: number;
  chunks: number;
  asked: number;
  seconds: number;
}

export const MAX_DIFFERENCES = 100;

/** Counters of one chunk, as PostgreSQL sends them. */
export type Counters = Record<(typeof COUNTERS)[number], number>;

export const COUNTERS = [
  'rows',
  'compared',
  'missing',
  'extra',
  'different',
  'lost',
  'revived',
  'gained_foreign',
  'gained_store',
  'predicted_gained_store',
  'behind',
  'ahead',
] as const;

export const noCounters = (): Counters => Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Counters;

/** Adds up counters, in place of the first. Differences of chunks add up since no id is in two chunks. */
export function addCounters(sum: Counters, more: Counters): Counters {
  for (const name of COUNTERS) sum[name] += more[name];
  return sum;
}
