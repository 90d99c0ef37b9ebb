import type { WaitKind } from '../../database/waiting.js';
import type { MigrationState, StageName } from '../../ledger/states.js';
import type { Outcome } from '../../plan/plan.js';
import type { Proof } from '../../proof/document.js';
import type { Status } from '../../status/status.js';
import type { Finding } from '../../surroundings/finding.js';

/**
 * The facts of a report: the page is drawn from them, and `report --json` prints them. Times are UTC, ISO 8601; dates
 * of keys are PostgreSQL's text. They never hold a token.
 */
export interface ReportFacts {
  made_at: string;
  version: string;
  database: { name: string; host: string; port: number; server_version: string; keys: string; target: string };
  migration: MigrationFacts;
  status: Status;
  /** All accounts, and those that are answered from Settings. */
  accounts: { total: number; switched: number };
  /** Every per-API key by the API it was created in. */
  apis: ApiOutcomes[];
  /** All store APIs, with or without keys. Empty where each account has store APIs of its own. */
  store_apis: StoreApi[];
  /** Only where each account has store APIs of its own: living account keys by how many APIs they open. */
  own_apis?: OwnApis[];
  /** Native keys, and those of them that are alive. */
  born_in_settings: { keys: number; alive: number };
  exceptions: Listed<ListedKey>;
  merges: Listed<ListedKey>;
  timeline: Timeline;
  proofs: Listed<ProofLine>;
  /** The latest proof of this attempt with its whole document. */
  last_proof: (ProofLine & { document: Proof }) | null;
  runs: Listed<RunLine>;
  events: Listed<EventLine>;
  /** What meets the tables when the report is made, gates first. */
  surroundings: Finding[];
}

/** The migration's row in the ledger. */
export interface MigrationFacts {
  attempt: number;
  stage: StageName | null;
  state: MigrationState;
  started_at: string;
  changed_at: string;
  /** The time of all stages together. */
  seconds: number;
}

/** The first or latest of many, and the number of all. */
export interface Listed<T> {
  total: number;
  listed: T[];
}

/** `to_come`: no outcome yet, because the backfill has not reached the key, or the migration was rolled back. */
export type ReportOutcome = Outcome | 'to_come';

/** The kind of API that a key was created in. */
export type Origin = 'store' | 'custom' | 'missing';

/** The keys that were created in one API, by outcome. */
export interface ApiOutcomes {
  origin: Origin;
  /** Null for custom APIs, which are counted together, and for missing APIs. */
  api_id: string | null;
  slug: string | null;
  keys: Record<ReportOutcome, number>;
  /** Those of them that were alive when the report was made. */
  alive: Record<ReportOutcome, number>;
  exceptions_by_reason: Record<string, number>;
}

/** Living account keys that open this many APIs of their account. */
export interface OwnApis {
  apis: number;
  accounts: number;
  keys: number;
}

export interface StoreApi {
  api_id: string;
  slug: string | null;
}

/** An exception or a merged key. Long names are cut. */
export interface ListedKey {
  key_id: string;
  reason: string | null;
  /** The account key that a merged key became a part of. */
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

/** When batches ran, and how fast. */
export interface Timeline {
  /** Periods in which `migrate` ran. Between two of them no run was active. */
  spells: ActivePeriod[];
  /** Width of a bucket in seconds. */
  bucket_seconds: number;
  waits: Listed<Wait>;
  /** All waits by kind, the longest first. */
  waited: WaitSum[];
  stages: CompletedStage[];
  /** Key lookups while keys were copied, of each run that timed them with --max-latency, the latest first. */
  lookups: TimedLookups[];
  batches: { done: number; failed: number; open: number };
}

export interface ActivePeriod {
  from: string;
  to: string;
  seconds: number;
  /** Keys that each bucket accounted for, from the start of the period. */
  rows: number[];
}

/** All waits of one kind together, with the reason of one of them as an example. */
export interface WaitSum {
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

/** In seconds; 95 of 100 lookups of the run ended within `p95_seconds`. */
export interface TimedLookups {
  run_id: string;
  p95_seconds: number;
  limit_seconds: number;
  samples: number;
}

export interface CompletedStage {
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
  /** Without secrets; null for a caller of the package. */
  arguments: string[] | null;
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
