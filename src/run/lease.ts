import { EXIT } from '../errors/exit-codes.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { noteRun } from '../errors/run-of.js';
import type { Database } from '../database/connect.js';
import { databaseSilent } from '../database/failures.js';
import { withRetry } from '../database/with-retry.js';
import {
  anotherRun,
  endRun,
  enterRun,
  expireOwner,
  heartbeat,
  HEARTBEAT_SECONDS,
  isDeadHere,
  LEASE_SECONDS,
  leaseLost,
  takeLead,
  type Owner,
  type Run,
  type RunEnd,
  type RunFacts,
} from '../ledger/runs.js';
import { NEVER, pause } from '../timing.js';

const ASK_EVERY_MS = 250;
/** A heartbeat locks the row that the next run needs, so it must end before its lease does. */
const HEARTBEAT_IDLE_MS = LEASE_SECONDS * 500;
/** An owner without a heartbeat for a little longer than a lease is gone. */
const SILENCE_MS = (LEASE_SECONDS + HEARTBEAT_SECONDS) * 1000;

/** A run with its lease. */
export interface Leased {
  run: Run;
  /** Aborts when the lease is lost. */
  lost: AbortSignal;
  /** This run helped another one before it led. */
  assisted: boolean;
}

export interface LeaseOptions {
  facts: RunFacts;
  stop: AbortSignal;
  /** Called once the ledger knows the run. */
  onEntered: (run: Run) => void;
  /** Helps the run that leads, for one turn. Without it this run is refused while another one leads. */
  assist?: ((leased: Leased) => Promise<void>) | undefined;
}

/**
 * Runs `fn` as the run that leads, with a heartbeat. Waits for the lease of a silent owner to end, and takes over at
 * once from an owner whose process is gone.
 *
 * @throws `another_run` while another run is alive and this one cannot help it.
 */
export async function underLease<T>(
  database: Database,
  options: LeaseOptions,
  fn: (leased: Leased) => Promise<{ exitCode: number; result: T }>,
): Promise<T> {
  const retried = withRetry(database, { stop: options.stop });
  const run = await retried.transaction((session) => enterRun(session, options.facts), {
    name: 'run: enter the ledger',
  });
  options.onEntered(run);
  const lost = new AbortController();
  const beating = setInterval(heartbeats({ database, run, lost }), HEARTBEAT_SECONDS * 1000);
  const end: RunEnd = { exitCode: EXIT.bug, result: null, errorCode: null };
  try {
    const assisted = await waitForLead({ database: retried, run, options, lost: lost.signal });
    run.leads = true;
    const answer = await fn({ run, lost: lost.signal, assisted });
    Object.assign(end, answer);
    return answer.result;
  } catch (error) {
    end.exitCode = exitCodeOf(error);
    end.errorCode = codeOf(error);
    noteRun(error, run.runId);
    throw error;
  } finally {
    clearInterval(beating);
    // When the database is gone, the lease ends by its time.
    await withRetry(database, { stop: NEVER })
      .transaction((session) => endRun(session, run, end), { name: 'run: end', afterStop: true })
      .catch(() => undefined);
  }
}

const exitCodeOf = (error: unknown): number =>
  (error as { exitCode?: number }).exitCode ?? ((error as Error).name === 'AbortError' ? EXIT.interrupted : EXIT.bug);

const codeOf = (error: unknown): string | null => {
  if (error instanceof KeyliftError) return error.code;
  return (error as Error).name === 'AbortError' ? 'interrupted' : null;
};

interface Beat {
  database: Database;
  run: Run;
  lost: AbortController;
}

/**
 * Sends one heartbeat at a time. A network that drops every packet gives no error, so the lease is lost after as many
 * beats without an answer as fit into it; the connections are dropped then. Beats are counted, and not seconds: a
 * suspended process has not listened, and asks again.
 */
function heartbeats(beat: Beat): () => void {
  let unanswered = 0;
  let asking = false;
  const ask = async (): Promise<void> => {
    asking = true;
    if (await sendHeartbeat(beat)) unanswered = 0;
    asking = false;
  };
  return () => {
    unanswered += 1;
    if (unanswered > LEASE_SECONDS / HEARTBEAT_SECONDS && !beat.lost.signal.aborted) {
      beat.lost.abort(databaseSilent(beat.database.where, LEASE_SECONDS));
      beat.database.abandon();
    } else if (!asking) void ask();
  };
}

/** Whether there was an answer. */
async function sendHeartbeat({ database, run, lost }: Beat): Promise<boolean> {
  try {
    const kept = await database.transaction((session) => heartbeat(session, run), {
      name: 'run: send a heartbeat',
      statementTimeoutMs: HEARTBEAT_SECONDS * 1000,
      idleTimeoutMs: HEARTBEAT_IDLE_MS,
      afterStop: true,
    });
    if (!kept) lost.abort(leaseLost());
    return true;
  } catch {
    return false; // the next beat, or the work of the run, finds the reason
  }
}

interface LeadOptions {
  database: Database;
  run: Run;
  options: LeaseOptions;
  lost: AbortSignal;
}

/** Resolves when this run leads: true when it helped another one before. */
async function waitForLead({ database, run, options: { stop, assist }, lost }: LeadOptions): Promise<boolean> {
  const ended = AbortSignal.any([stop, lost]);
  let seen: Sight | null = null;
  let assisted = false;
  for (;;) {
    ended.throwIfAborted();
    const owner = await database.transaction((session) => takeLead(session, run), { name: 'run: take the lead' });
    if (owner === null) return assisted;
    seen = sightOf(owner, seen);
    // The lease ends by the clock of the server, which may be set back; so this process measures the silence, too.
    if (isDeadHere(owner) || performance.now() - seen.since > SILENCE_MS) {
      await database.transaction((session) => expireOwner(session, owner), { name: 'run: expire a dead owner' });
      continue;
    }
    // A heartbeat that changes comes from a live owner. Without a change, this run waits.
    if (seen.beats > 0 && assist === undefined) throw anotherRun(owner);
    if (assist !== undefined) {
      await assist({ run, lost, assisted });
      assisted = true;
    }
    await pause(ASK_EVERY_MS, ended);
  }
}

interface Sight {
  owner: Owner;
  /** When this process saw the heartbeat first, by a clock that cannot be set. */
  since: number;
  /** How often the heartbeat has changed since this run waits. */
  beats: number;
}

function sightOf(owner: Owner, before: Sight | null): Sight {
  if (before?.owner.run_id !== owner.run_id) return { owner, since: performance.now(), beats: 0 };
  if (before.owner.heartbeat_at === owner.heartbeat_at) return before;
  return { owner, since: performance.now(), beats: before.beats + 1 };
}
