import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../errors/exit-codes.js';
import { noteRun } from '../errors/run-of.js';
import type { Database } from '../database/connect.js';
import { patient } from '../database/patient.js';
import { databaseSilent } from '../database/failures.js';
import {
  anotherRun,
  buryOwner,
  endRun,
  enterRun,
  heartbeat,
  HEARTBEAT_SECONDS,
  isDeadHere,
  LEASE_SECONDS,
  leaseLost,
  takeLead,
  type Owner,
  type Run,
  type RunFacts,
} from '../ledger/runs.js';

const ASK_EVERY_MS = 250;
/** A heartbeat locks the row that a successor needs: it is over before its lease is. */
const HEARTBEAT_IDLE_MS = LEASE_SECONDS * 500;
/** An owner whose heartbeat stands still for as long as a lease, and a little, is gone. */
const SILENCE_MS = (LEASE_SECONDS + HEARTBEAT_SECONDS) * 1000;

export interface LeaseOptions {
  facts: RunFacts;
  stop: AbortSignal;
  /** Told when the database has given no answer for as long as the lease lasts; its connections are dropped then. */
  onSilence?: () => void;
  /** What to do while another run leads: help it, for one turn. Without it the command is refused. */
  assist?: (run: Run, lost: AbortSignal) => Promise<void>;
}

/** What happened under the lease: the answer, and whether this run helped another one before it led. */
export interface Led {
  run: Run;
  lost: AbortSignal;
  assisted: boolean;
}

/**
 * Runs `fn` as the one run that leads, with a heartbeat; its signal aborts when the lease is lost. Waits for the lease
 * of a silent owner to end, and takes over at once from one whose process is gone.
 *
 * @throws `another_run` while another run is alive and this one cannot help it.
 */
export async function underLease<T>(
  database: Database,
  options: LeaseOptions,
  fn: (led: Led) => Promise<{ exitCode: number; result: T }>,
): Promise<T> {
  const patiently = patient(database, { stop: options.stop });
  const run = await patiently.transaction((session) => enterRun(session, options.facts));
  const lost = new AbortController();
  const beat = setInterval(
    heartbeats({
      database,
      run,
      lost,
      onSilence: () => {
        database.abandon();
        options.onSilence?.();
      },
    }),
    HEARTBEAT_SECONDS * 1000,
  );
  const end = { exitCode: EXIT.bug as number, result: null as unknown };
  try {
    const assisted = await waitForLead({ database: patiently, run, options, lost: lost.signal });
    run.leads = true;
    const answer = await fn({ run, lost: lost.signal, assisted });
    Object.assign(end, answer);
    return answer.result;
  } catch (error) {
    end.exitCode = exitCodeOf(error);
    noteRun(error, run.runId);
    throw error;
  } finally {
    clearInterval(beat);
    // When the database is gone, so is the lease, by its own end.
    await patient(database)
      .transaction((session) => endRun(session, run, end))
      .catch(() => undefined);
  }
}

const exitCodeOf = (error: unknown): number =>
  (error as { exitCode?: number }).exitCode ?? ((error as Error).name === 'AbortError' ? EXIT.interrupted : EXIT.bug);

interface Beat {
  database: Database;
  run: Run;
  lost: AbortController;
}

/**
 * One heartbeat at a time. A network that swallows everything gives no error, ever: after as many beats without an
 * answer as the lease lasts, the run has lost it. Beats are counted and not seconds: a process that was stopped and woken
 * has not listened, and asks again.
 */
function heartbeats({ onSilence, ...beat }: Beat & { onSilence: () => void }): () => void {
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
      onSilence();
    } else if (!asking) void ask();
  };
}

/** Whether there was an answer. */
async function sendHeartbeat({ database, run, lost }: Beat): Promise<boolean> {
  try {
    const kept = await database.transaction((session) => heartbeat(session, run), {
      statementTimeoutMs: HEARTBEAT_SECONDS * 1000,
      idleTimeoutMs: HEARTBEAT_IDLE_MS,
    });
    if (!kept) lost.abort(leaseLost());
    return true;
  } catch {
    return false; // the next beat, or the work itself, will tell
  }
}

/** Resolves when this run leads: true when it helped another one before. */
async function waitForLead({
  database,
  run,
  options,
  lost,
}: {
  database: Database;
  run: Run;
  options: LeaseOptions;
  lost: AbortSignal;
}): Promise<boolean> {
  let seen: Sight | null = null;
  let assisted = false;
  for (;;) {
    options.stop.throwIfAborted();
    lost.throwIfAborted();
    const owner = await database.transaction((session) => takeLead(session, run));
    if (owner === null) return assisted;
    seen = sightOf(owner, seen);
    // Beside its lease, by the server's clock, its silence is measured by our own: the server's may have been set back.
    if (isDeadHere(owner) || performance.now() - seen.since > SILENCE_MS) {
      await database.transaction((session) => buryOwner(session, owner));
      continue;
    }
    // A heartbeat that moves is a living owner; one that stands still is waited out.
    if (seen.beats > 0 && options.assist === undefined) throw anotherRun(owner);
    if (options.assist !== undefined) {
      await options.assist(run, lost);
      assisted = true;
    }
    await sleep(ASK_EVERY_MS);
  }
}

interface Sight {
  owner: Owner;
  /** When this heartbeat was seen first, by the clock of this process that nobody sets. */
  since: number;
  /** How often the heartbeat has moved before our eyes. */
  beats: number;
}

function sightOf(owner: Owner, before: Sight | null): Sight {
  if (before?.owner.run_id !== owner.run_id) return { owner, since: performance.now(), beats: 0 };
  if (before.owner.heartbeat_at === owner.heartbeat_at) return before;
  return { owner, since: performance.now(), beats: before.beats + 1 };
}
