import type { Outcome } from '../plan/plan.js';

/** An API as a key's story names it; `slug` is null when the API is gone. */
export interface ApiName {
  id: string;
  slug: string | null;
}

/** The per-API key as its table has it, or the archive. Dates are PostgreSQL's text. */
export interface SourceRow {
  stored_in: 'legacy' | 'archive';
  account_id: string | null;
  account: string | null;
  api: ApiName | null;
  name: string | null;
  alive: boolean;
  created_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
}

/** The account key that answers for the key, its own or the one it was merged into. */
export interface AccountKeyRow {
  key_id: string;
  account_id: string;
  account: string | null;
  name: string | null;
  fingerprint: string | null;
  scope: string;
  /** The API it was made in; null for a key born in Settings. */
  origin_api: ApiName | null;
  alive: boolean;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
}

/** The range of ids that covers the key; null where the ledger has none. */
export interface CoveringBatch {
  batch_no: string;
  attempt: number;
  after_id: string | null;
  upto_id: string;
  state: string;
  finished_at: string | null;
}

/** Another key with the same token. */
export interface Partner {
  key_id: string;
  account_id: string | null;
  api: ApiName | null;
  name: string | null;
  outcome: Outcome | 'born' | null;
  reason: string | null;
}

/** Slugs of the APIs that let the key in, by the old rule, by the new one, and as `keylift.authorize` answers now. */
export interface Opens {
  before: string[];
  after: string[];
  /** Null where `authorize` is not installed, or may not be asked. */
  now: string[] | null;
}

/** Something that happened to the key: when, a word for programs, a sentence for people. */
export interface Happening {
  at: string;
  kind: string;
  text: string;
}

/** One key's story. It never holds a token. */
export interface KeyStory {
  key_id: string;
  fingerprint: string | null;
  name: string | null;
  account_id: string | null;
  account: string | null;
  /** `born`: made in Settings. */
  outcome: Outcome | 'born';
  reason: string | null;
  /** Does it stand, or is it what the rules say of a key that nothing has looked at yet? */
  settled: boolean;
  /** The rule behind the outcome, one sentence. */
  why: string;
  /** What the rules say of the row as it is today, where that differs and the next `migrate` looks again. */
  next: { outcome: Outcome; reason: string | null } | null;
  source: SourceRow | null;
  account_key: AccountKeyRow | null;
  batch: CoveringBatch | null;
  shares_token_with: Partner[];
  opens: Opens;
  /** Is the account answered from Settings? Null where there is no migration. */
  switched: boolean | null;
  since: Happening[];
}

/** What `explain --json` prints. */
export interface Explanation {
  keys: KeyStory[];
  /** More keys have this fingerprint than are told. */
  more: boolean;
}
