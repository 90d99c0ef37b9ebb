import { secretsIn } from '../config/redact.js';
import type { Database } from '../database/connect.js';
import { isTimeout } from '../database/sqlstate.js';
import { keyliftError } from '../errors/keylift-error.js';
import { runOf } from '../errors/run-of.js';
import type { OperationContext } from '../operations/context.js';
import { openerOf } from '../operations/opener.js';
import type { RunEvent, RunListener } from '../run/events.js';
import { whenAborted } from '../timing.js';
import { checkOptions, type OptionName } from './check-options.js';
import { settingsOf } from './configuration.js';
import { urlOf } from './connection.js';
import type { CommonOptions } from './options.js';
import { rejectionOf } from './rejection.js';

/** A function of the package. */
export interface FunctionDefinition {
  name: string;
  /** Its options besides those of every function. */
  own: readonly OptionName[];
  /** Nothing is lost when its statement is cancelled. */
  readsOnly?: true;
}

/**
 * Does the work of one call: checks the options, gives `work` a context as a command has it, closes what it opened, and
 * makes every error one of the catalogue.
 */
export async function perform<T>(
  { name, own, readsOnly }: FunctionDefinition,
  options: CommonOptions | undefined,
  work: (context: OperationContext) => Promise<T>,
): Promise<T> {
  checkOptions(name, options, own);
  const { connection, signal, onProgress } = options ?? {};
  const url = urlOf(connection, process.env);
  const opened: Database[] = [];
  const stop = new AbortController();
  const endStop = linkTo(signal, stop);
  const progress = progressOf(onProgress, stop);
  const endCancel = whenAborted(stop.signal, () => {
    if (readsOnly === true) opened.forEach((database) => void database.cancelRunning());
  });
  try {
    stop.signal.throwIfAborted();
    const context = { url, stop: stop.signal, emit: progress.emit, opened };
    const answer = await work(await contextOf(options ?? {}, context));
    progress.throwFailure();
    return answer;
  } catch (error) {
    progress.throwFailure();
    throw await rejectionOf(stop.signal.aborted ? asInterrupted(error, signal) : error, secretsOf(url));
  } finally {
    endStop();
    endCancel();
    await Promise.all(opened.map((database) => database.close()));
  }
}

async function contextOf(
  options: CommonOptions,
  { url, stop, emit, opened }: { url: string | undefined; stop: AbortSignal; emit: RunListener; opened: Database[] },
): Promise<OperationContext> {
  return {
    ...(await settingsOf(options)),
    databaseUrl: url,
    openDatabase: openerOf({ url, stop, opened }),
    env: process.env,
    stop,
    emit,
    observe: (_opened, _order, work) => work([emit]),
  };
}

/** A controller of our own: the reason of its signal is always an AbortError, whatever reason the caller gives. */
function linkTo(signal: AbortSignal | undefined, stop: AbortController): () => void {
  const onAbort = (): void => {
    stop.abort();
  };
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}

/** The callback of the caller. Its first error stops the work, which then rejects with it. */
function progressOf(
  onProgress: CommonOptions['onProgress'],
  stop: AbortController,
): { emit: RunListener; throwFailure: () => void } {
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    stop.abort();
  };
  return {
    emit: (event: RunEvent) => {
      try {
        const result: unknown = onProgress?.(event);
        if (result instanceof Promise) result.catch(fail);
      } catch (error) {
        fail(error);
      }
    },
    throwFailure: () => {
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** What follows from the stop is the error of the stop; any other error is kept. */
function asInterrupted(error: unknown, signal: AbortSignal | undefined): unknown {
  const follows = (error as Error | undefined)?.name === 'AbortError' || isTimeout(error);
  if (!follows) return error;
  const run = runOf(error);
  return keyliftError('interrupted', {
    message: 'the AbortSignal of the caller stopped the work',
    facts: run === undefined ? {} : { run_id: run },
    cause: signal?.reason,
  });
}

const secretsOf = (url: string | undefined): string[] => [...secretsIn([url ?? '']), process.env.PGPASSWORD ?? ''];
