import type { LineFault } from './decision.js';
import type { KindName } from './kinds.js';

/** One request that was decided otherwise than both rules say, however often it was recorded. */
export interface ReplayDifference {
  /** Where it stands first. */
  line: number;
  /** How often, within what was looked at together. */
  times: number;
  /** Null for a token that no key has. */
  key_id: string | null;
  fingerprint: string | null;
  api: string;
  recorded: boolean;
  /** The old rule. */
  before: boolean;
  /** The new rule, once every account is switched. */
  after: boolean;
  /** What `keylift.authorize` answers; null where it is not there to be asked. */
  now: boolean | null;
}

export interface ReplayKind {
  kind: KindName;
  explained: boolean;
  why: string;
  /** Recorded decisions, all of them. */
  decisions: number;
  /** At most 100 requests. */
  differences: ReplayDifference[];
}

/** What a replay found: `verify --replay`. */
export interface Replay {
  /** Nothing that the rules do not explain. */
  ok: boolean;
  /** Lines that held anything, and of these the decisions that could be read. */
  lines: number;
  decisions: number;
  /** Decisions that both rules agree with. */
  same: number;
  explained: number;
  unexplained: number;
  /** Decisions about a token or an API that is not there (a refusal is right then), and about a slug that several APIs have. */
  unknown_keys: number;
  unknown_apis: number;
  ambiguous_apis: number;
  /** What the new rule was read from: the account keys as they stand, or, before there are any, the rules alone. */
  judged_by: 'account_keys' | 'rules';
  /** Requests that the real `keylift.authorize` was asked. */
  asked: number;
  kinds: ReplayKind[];
  /** At most 100 of the lines that are no decision. */
  bad_lines: { count: number; first: LineFault[] };
  seconds: number;
}

/** Requests listed of each kind, and bad lines. */
export const MOST_LISTED = 100;
