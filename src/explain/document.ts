import type { Outcome } from '../plan/plan.js';

/** An API; `slug` is null when the API is missing. */
export interface ApiName {
  id: string;
  slug: string | null;
}

/** The per-API key's row in its table or in the archive. Dates are PostgreSQL's text. */
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

/** The account key that answers for the key: its own, or the one it was merged into. */
export interface AccountKeyRow {
  key_id: string;
  account_id: string;
  account: string | null;
  name: string | null;
  fingerprint: string | null;
  scope: string;
  /** The API it was created in; null for a native key. */
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
export interface SharingKey {
  key_id: string;
  account_id: string | null;
  api: ApiName | null;
  name: string | null;
  outcome: Outcome | 'born' | null;
  reason: string | null;
}

/** Slugs of the APIs that the key opens by the old rule, by the new rule, and by `keylift.authorize` now. */
export interface Opens {
  before: string[];
  after: string[];
  /** Null where `authorize` is not installed, or this role may not call it. */
  now: string[] | null;
}

/** An event in the life of the key; `kind` is for programs, `text` for people. */
export interface KeyEvent {
  at: string;
  kind: string;
  text: string;
}

/** Everything about one key. It never holds a token. */
export interface KeyExplanation {
  key_id: string;
  fingerprint: string | null;
  name: string | null;
  account_id: string | null;
  account: string | null;
  /** `born`: a native key. */
  outcome: Outcome | 'born';
  reason: string | null;
  /** False while the outcome comes from the rules alone, because no batch has processed the key yet. */
  settled: boolean;
  /** The rule behind the outcome, one sentence. */
  why: string;
  /** The outcome by the rules today, where it differs and the next `migrate` decides again. */
  next: { outcome: Outcome; reason: string | null } | null;
  source: SourceRow | null;
  account_key: AccountKeyRow | null;
  batch: CoveringBatch | null;
  shares_token_with: SharingKey[];
  opens: Opens;
  /** True if the account is answered from Settings; null where there is no migration. */
  switched: boolean | null;
  since: KeyEvent[];
}

/** What `explain --json` prints. */
export interface Explanation {
  keys: KeyExplanation[];
  /** True if more keys have this fingerprint than are listed. */
  more: boolean;
}
