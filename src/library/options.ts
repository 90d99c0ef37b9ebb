import type { SettingsInput } from '../config/settings.js';
import type { StageName } from '../ledger/states.js';
import type { RunEvent } from '../run/events.js';

/** A database: a URL, or its parts as `pg` takes them. keylift opens and closes its own connections. */
export type Connection =
  | string
  | { connectionString: string }
  | { host?: string; port?: number; user?: string; password?: string; database: string };

/** What happens while a function works. `kind` tells the events apart. */
export type ProgressEvent = RunEvent;

/** What every function takes. */
export interface CommonOptions {
  /**
   * The path of a configuration file, or its content. Default, as for the commands: the file of KEYLIFT_CONFIG, else
   * `keylift.config.json` in the working folder, else the default tables.
   */
  configuration?: string | SettingsInput | undefined;
  /** Default: DATABASE_URL. */
  connection?: Connection | undefined;
  /**
   * Ends the work. A function that writes finishes its current step, and rejects with the code `interrupted`; call it
   * again to resume. A function that only reads cancels its statement.
   */
  signal?: AbortSignal | undefined;
  /**
   * Gets each event at once. If it throws, the work ends as after `signal`, and the function rejects with that error.
   */
  onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** How fast a run copies. */
export interface PaceOptions {
  /** Batches at once, 1 to 64. */
  concurrency?: number | undefined;
  /** Rows in a batch at most. */
  batchSize?: number | undefined;
  /** How long a batch should take, in seconds. */
  batchTime?: number | undefined;
}

export interface PlanOptions extends CommonOptions, PaceOptions {
  /** A CSV of accounts or keys to leave as they are. Default: the holds that the ledger has. */
  holds?: string | undefined;
  /** Saves the plan to this file, for `migrate`. */
  out?: string | undefined;
  /** Writes every key with its outcome to this CSV. */
  keys?: string | undefined;
  /** Writes the living keys that were not used in 90 days to this CSV, in the form of a holds file. */
  dormant?: string | undefined;
  /** Writes the keys that will open more than before to this CSV. */
  notice?: string | undefined;
  /** Runs one batch in a transaction that is rolled back, and measures it. */
  rehearse?: boolean | undefined;
  /** Adds the statements that would run, as `sql`. */
  showSql?: boolean | undefined;
}

export interface MigrateOptions extends CommonOptions, PaceOptions {
  /** The last stage. Default: `switch`. */
  until?: Exclude<StageName, 'finalize'> | undefined;
  /** A CSV of accounts or keys to leave as they are. Default: the holds that the ledger has. */
  holds?: string | undefined;
  /** The file of a saved plan: the run is refused if the database has drifted from it. */
  plan?: string | undefined;
  /** The drift from the saved plan to accept, such as `2%`. Default: `1%`. */
  tolerance?: string | undefined;
  /** The run waits while a replica is more seconds behind. Default: no limit. */
  maxLag?: number | undefined;
  /** The run waits while more other sessions than this are active. Default: no limit. */
  maxActive?: number | undefined;
  /** The run waits while this query answers with a number above 0. */
  throttleQuery?: string | undefined;
  /** The run waits while this URL answers with another status than 200. */
  throttleUrl?: string | undefined;
  /** The run slows down, then waits, while 95 of 100 key lookups take longer. In seconds. Default: no limit. */
  maxLatency?: number | undefined;
}

export interface VerifyOptions extends CommonOptions {
  /** A file of recorded decisions (NDJSON) to run through the old rule and the new one. */
  replay?: string | undefined;
  /** A file of requests with canary keys (JSON) to send to the gateway. */
  probe?: string | undefined;
}

export interface RepairOptions extends CommonOptions {
  /** Only lists what is out of line. */
  dryRun?: boolean | undefined;
}

/** Accounts: their ids, or the path of a CSV with the header `account_id`. Each account must exist. */
export type Accounts = string | readonly (string | number | bigint)[];

export interface SwitchOptions extends CommonOptions {
  /** Every account. Name the accounts in one of three ways. */
  all?: boolean | undefined;
  /** A stable share of the accounts, such as `5%`; `10%` contains `5%`. */
  cohort?: string | undefined;
  accounts?: Accounts | undefined;
  /** The way back. */
  back?: boolean | undefined;
}

export interface RollbackOptions extends CommonOptions {
  /** Default: the whole migration. */
  accounts?: Accounts | undefined;
  /** What happens to the platform's triggers on rows that are restored. Required where there are any. */
  triggers?: 'fire' | 'skip' | undefined;
}

export interface FinalizeOptions extends CommonOptions {
  /** Deletes the archive: after it there is no way back. */
  purge?: boolean | undefined;
  /** What happens to the platform's triggers on rows that are deleted. Required where there are any. */
  triggers?: 'fire' | 'skip' | undefined;
}

export type StatusOptions = CommonOptions;
