import type { WaitKind } from '../../database/waiting.js';
import type { MigrationState, Stage } from '../../ledger/state.js';
import type { Proof } from '../../proof/document.js';
import type { Status } from '../../status/status.js';

/**
 * A migration as the ledger remembers it: what a page is drawn from, and what `report --json` prints. Times are UTC,
 * ISO 8601; dates of keys are PostgreSQL's text. It never holds a token.
 */
export interface Chronicle {
  made_at: string;
  version: string;
  database: { name: string; host: string; port: number; server_version: string; keys: string; target: string };
  migration: MigrationFacts;
  status: Status;
  /** Accounts that exist, and how many of them are answered from Settings. */
  accounts: { total: number; switched: number };
  /** Every per-API key by the API it was made in. */
  apis: ApiOutcomes[];
  /** Store APIs there are, whether keys were made in them or not. */
  store_apis: StoreApi[];
  /** Account keys that people made in Settings, and how many of those are alive. */
  born_in_settings: { keys: number; alive: number };
  exceptions: Listed<SetAside>;
  merges: Listed<SetAside>;
  timeline: Timeline;
  proofs: Listed<ProofLine>;
  /** The latest proof of this attempt, whole. */
  last_proof: (ProofLine & { document: Proof }) | null;
  runs: Listed<RunLine>;
  events: Listed<EventLine>;
}

export interface MigrationFacts {
  attempt: number;
  stage: Stage | null;
  state: MigrationState;
  started_at: string;
  changed_at: string;
  /** What the stages took, added up. */
  seconds: number;
}

/** Some of many: the first ones, and how many there are in all. */
export interface Listed<T> {
  total: number;
  listed: T[];
}

/** `to_come`: no outcome yet; the backfill has not been there, or everything was taken back. */
export type Fate = 'move' | 'merge' | 'stay' | 'hold' | 'exception' | 'to_come';

/** Where a key was made: one API of the store, any custom API, or an API that is not there. */
export type Origin = 'store' | 'custom' | 'missing';

export interface ApiOutcomes {
  origin: Origin;
  /** Null for custom APIs, which are counted together, and for APIs that are not there. */
  api_id: string | null;
  slug: string | null;
  keys: Record<Fate, number>;
  /** Of them, those alive when the page was made. */
  alive: Record<Fate, number>;
  exceptions_by_reason: Record<string, number>;
}

export interface StoreApi {
  api_id: string;
  slug: string | null;
}

/** A key set aside: an exception, or merged into an account key. Long names are cut. */
export interface SetAside {
  key_id: string;
  reason: string | null;
  /** The account key a merged key became a part of. */
  account_key_id: string | null;
  account_id: string | null;
  account: string | null;
  api_id: string | null;
  slug: string | null;
  name: string | null;
  fingerprint: string | null;
  alive: boolean | null;
  created_at: string | null;
}

/** When work was done, and how fast. Between two spells no run was at work. */
export interface Timeline {
  spells: Spell[];
  /** Width of a bucket in seconds. */
  bucket_seconds: number;
  waits: Listed<Wait>;
  /** All of them by kind, the longest first. */
  waited: Waited[];
  stages: StageDone[];
  batches: { done: number; failed: number; open: number };
}

export interface Spell {
  from: string;
  to: string;
  seconds: number;
  /** Keys accounted for in each bucket, from the spell's beginning on. */
  rows: number[];
}

/** Waits of one kind together; `reason` is how one of them was told. */
export interface Waited {
  kind: WaitKind;
  reason: string;
  times: number;
  seconds: number;
}

export interface Wait {
  kind: WaitKind;
  reason: string;
  from: string;
  to: string;
  seconds: number;
}

export interface StageDone {
  stage: string;
  at: string;
  seconds: number;
}

export interface ProofLine {
  proof_no: string;
  proven_at: string;
  attempt: number | null;
  ok: boolean;
  compared: number;
  seconds: number;
}

export interface RunLine {
  run_id: string;
  command: string;
  started_at: string;
  ended_at: string | null;
  exit_code: number | null;
  host: string;
  pid: number;
  database_user: string;
  version: string;
  attempt: number | null;
  waiting_for: string | null;
}

export interface EventLine {
  at: string;
  kind: string;
  actor: string;
  run_id: string | null;
  facts: Record<string, unknown>;
}
