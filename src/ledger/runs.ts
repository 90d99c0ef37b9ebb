import { hostname } from 'node:os';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { WriteSession } from '../database/session.js';

/** A heartbeat renews a lease this often; without one the lease ends after this long. Seconds. */
export const HEARTBEAT_SECONDS = 2;
export const LEASE_SECONDS = 20;

/** A running command, as the ledger knows it. */
export interface Run {
  runId: string;
  /** False while the run only helps another one. */
  leads: boolean;
}

export interface RunFacts {
  command: string;
  version: string;
  /** Without secrets; null where there is no command line. */
  arguments?: readonly string[] | null;
  pace?: RunPace;
}

/** The options of the run's command line, for `status`; `tune` overrides them. */
export interface RunPace {
  /** The last stage; null for a command that goes through none. */
  until: string | null;
  concurrency: number;
  /** Seconds. */
  batch_time: number;
  batch_size: number;
  /** Seconds. */
  max_lag: number | null;
  max_active: number | null;
  throttle_query: string | null;
  /** Its host alone. */
  throttle_url: string | null;
  /** Seconds. */
  max_latency: number | null;
}

/** The run that leads: only one does at a time. */
export interface Owner {
  run_id: string;
  command: string;
  host: string;
  pid: number;
  heartbeat_at: string;
  seconds_left: number;
}

/** Enters a run in the ledger, with a lease of its own: the run may write only while it lasts. */
export async function enterRun(session: WriteSession, facts: RunFacts): Promise<Run> {
  const { run_id: runId } = await session.one<{ run_id: string }>(
    `INSERT INTO keylift.runs (command, host, pid, version, attempt, lease_until, pace, arguments)
     VALUES ($1, $2, $3, $4, (SELECT attempt FROM keylift.migration),
       clock_timestamp() + make_interval(secs => $5), $6, $7)
     RETURNING run_id`,
    [
      facts.command,
      hostname(),
      process.pid,
      facts.version,
      LEASE_SECONDS,
      facts.pace === undefined ? null : JSON.stringify(facts.pace),
      facts.arguments == null ? null : JSON.stringify(facts.arguments),
    ],
  );
  return { runId, leads: false };
}

/** Takes the lead when no run has it, or the lease of its owner has ended. Returns null, or the owner. */
export async function takeLead(session: WriteSession, run: Run): Promise<Owner | null> {
  const { rowCount } = await session.query(
    `UPDATE keylift.control SET owner = $1, fence = fence + 1, owned_until = clock_timestamp() + make_interval(secs => $2)
     WHERE owner IS NULL OR owned_until < clock_timestamp()`,
    [run.runId, LEASE_SECONDS],
  );
  if (rowCount === 1) return null;
  return session.one<Owner>(
    `SELECT r.run_id, r.command, r.host, r.pid, r.heartbeat_at::text AS heartbeat_at,
       ceil(extract(epoch FROM c.owned_until - clock_timestamp()))::int AS seconds_left
     FROM keylift.control c JOIN keylift.runs r ON r.run_id = c.owner`,
  );
}

/** Ends the run and the lease of an owner that is gone, unless it has sent a heartbeat since. */
export async function expireOwner(session: WriteSession, owner: Owner): Promise<void> {
  await session.query(
    `WITH dead AS (
       UPDATE keylift.runs SET ended_at = clock_timestamp(), lease_until = clock_timestamp()
       WHERE run_id = $1 AND ended_at IS NULL AND heartbeat_at = $2 RETURNING run_id)
     UPDATE keylift.control SET owned_until = clock_timestamp() - interval '1 second' FROM dead WHERE owner = dead.run_id`,
    [owner.run_id, owner.heartbeat_at],
  );
}

/** True when the owner's process was on this machine and has ended. On another machine only its lease can show that. */
export function isDeadHere(owner: Owner): boolean {
  if (owner.host !== hostname() || owner.pid === process.pid) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/**
 * Renews the run's lease, and the lead if the run has it. False when either is lost: a process that was suspended for
 * longer than its lease must not write, since another run may have taken over.
 */
export async function heartbeat(session: WriteSession, run: Run): Promise<boolean> {
  const own = await session.query(
    `UPDATE keylift.runs SET heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => $2)
     WHERE run_id = $1 AND ended_at IS NULL AND lease_until > clock_timestamp()`,
    [run.runId, LEASE_SECONDS],
  );
  if (!run.leads || own.rowCount === 0) return own.rowCount === 1;
  const lead = await session.query(
    'UPDATE keylift.control SET owned_until = clock_timestamp() + make_interval(secs => $2) WHERE owner = $1',
    [run.runId, LEASE_SECONDS],
  );
  return lead.rowCount === 1;
}

/** How a run ended: its answer, or the code of its error. */
export interface RunEnd {
  exitCode: number;
  result: unknown;
  errorCode: string | null;
}

/** Records how long key lookups take while the run copies keys. */
export async function recordLookups(session: WriteSession, run: Run, lookups: object): Promise<void> {
  await session.query('UPDATE keylift.runs SET lookups = $2 WHERE run_id = $1', [run.runId, JSON.stringify(lookups)]);
}

/** Gives the lead back, if the run has it, and records the end of the run. */
export async function endRun(session: WriteSession, run: Run, { exitCode, result, errorCode }: RunEnd): Promise<void> {
  await session.query(
    `WITH freed AS (UPDATE keylift.control SET owner = NULL, owned_until = NULL WHERE owner = $1)
     UPDATE keylift.runs SET ended_at = clock_timestamp(), exit_code = $2, result = $3, error_code = $4,
       waiting_for = NULL, waiting_kind = NULL, waiting_since = NULL
     WHERE run_id = $1`,
    [run.runId, exitCode, result === null ? null : JSON.stringify(result), errorCode],
  );
}

/** The refusal while another run leads. */
export function anotherRun(owner: Owner): KeyliftError {
  return keyliftError('another_run', {
    message: `another run is active: ${owner.command} on ${owner.host}, process ${String(owner.pid)}`,
    facts: { lease_ends_in_seconds: owner.seconds_left },
  });
}

export const leaseLost = (): KeyliftError =>
  keyliftError('lease_lost', { message: 'this run lost its lease; another run may be active' });
