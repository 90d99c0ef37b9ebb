import type { Where } from './address.js';
import { withSeparateConnection } from './separate-connection.js';
import { databaseSilent, sessionForgotten } from './failures.js';
import type { Line, Server } from './session.js';
import { isDatabaseError } from './sqlstate.js';

/** Beats after which a statement that brings nothing is asked after: most are done long before. */
const QUIET_BEATS = 2;
/** Beats without an answer to that, after which the network has swallowed us. */
const SILENT_BEATS = 4;
export const BEAT_MS = 5_000;

/** What a server that answers knows: nothing where it let nobody in, or behind a pooler that has no session to give. */
export interface Pulse {
  started?: string;
  /** What each process does, as pg_stat_activity has it; null where it may not be seen. */
  states?: ReadonlyMap<number, string | null>;
}

export interface PulseOptions {
  where: Where;
  lines: () => Iterable<Line>;
  /** Undefined when nobody answered. */
  ask: (processes: number[]) => Promise<Pulse | undefined>;
  beatMs?: number;
}

interface Quiet {
  sign: string;
  beats: number;
  /** Answers in a row by which the server is not at work on it. */
  forgotten: number;
}

/**
 * A bound on connections that say nothing. A long statement is no silence, so no statement has a limit; one that has
 * brought nothing for two beats is asked after, on a connection of its own. Where the server answers and works on it,
 * it is waited for; where it does not know it, the connection is lost; where nobody answers, all of them are.
 *
 * Beats are counted and not seconds: a process that was stopped and woken has not listened, and asks again.
 */
export function startConnectionMonitor(options: PulseOptions): { beat: () => void; end: () => void } {
  const quiet = new Map<Line, Quiet>();
  const beatMs = options.beatMs ?? BEAT_MS;
  let unanswered = 0;
  let asking = false;

  const ask = async (lines: Line[]): Promise<void> => {
    asking = true;
    const pulse = await options.ask(lines.flatMap((line) => line.server()?.process ?? [])).finally(() => {
      asking = false;
    });
    if (pulse === undefined) return;
    unanswered = 0;
    for (const line of lines) judge(line, { pulse, quiet, where: options.where });
  };
  const beat = (): void => {
    const lines = quietLines(options.lines(), quiet);
    unanswered = lines.length === 0 ? 0 : unanswered + 1;
    if (unanswered > SILENT_BEATS) {
      const silence = databaseSilent(options.where, ((QUIET_BEATS + SILENT_BEATS) * beatMs) / 1000);
      for (const line of lines) line.breakOff(silence);
    } else if (lines.length > 0 && !asking) void ask(lines);
  };
  const timer = setInterval(beat, beatMs);
  timer.unref();
  return {
    beat,
    end: () => {
      clearInterval(timer);
    },
  };
}

/** Counts a beat for each line that waits, and answers with those that have waited in vain for long enough. */
function quietLines(lines: Iterable<Line>, quiet: Map<Line, Quiet>): Line[] {
  const waiting = [...lines].flatMap((line) => {
    const sign = line.sign();
    return sign === undefined ? [] : [{ line, sign }];
  });
  for (const line of quiet.keys()) if (!waiting.some((one) => one.line === line)) quiet.delete(line);
  return waiting.flatMap(({ line, sign }) => {
    const before = quiet.get(line);
    const now = before?.sign === sign ? { ...before, beats: before.beats + 1 } : { sign, beats: 0, forgotten: 0 };
    quiet.set(line, now);
    return now.beats < QUIET_BEATS ? [] : [line];
  });
}

/** One answer may cross with another: what was said of a line counts while nothing has come by it since, and twice. */
function judge(line: Line, { pulse, quiet, where }: { pulse: Pulse; quiet: Map<Line, Quiet>; where: Where }): void {
  const seen = quiet.get(line);
  if (seen === undefined || seen.sign !== line.sign()) return;
  seen.forgotten = isForgotten(line.server(), pulse) ? seen.forgotten + 1 : 0;
  if (seen.forgotten >= 2) line.breakOff(sessionForgotten(where));
}

function isForgotten(server: Server | undefined, { started, states }: Pulse): boolean {
  // Through a balancer another server may have answered, which never knew of it.
  if (server === undefined || states === undefined || started !== server.started) return false;
  const state = states.get(server.process);
  return state === undefined || state?.startsWith('idle') === true;
}

const ASK = `
  SELECT pg_catalog.pg_postmaster_start_time()::text AS started,
    (SELECT coalesce(pg_catalog.jsonb_object_agg(a.pid, a.state), '{}') FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY ($1::int[])) AS states`;

/** Asks the server after its processes, within `timeoutMs` for each of its answers. Undefined when nobody answered. */
export async function askServer(
  url: string,
  processes: number[],
  { timeoutMs }: { timeoutMs: number },
): Promise<Pulse | undefined> {
  let letIn = false;
  try {
    return await withSeparateConnection(url, { application: 'keylift-pulse', timeoutMs }, async (client) => {
      letIn = true;
      const {
        rows: [row],
      } = await client.query<{ started: string; states: Record<string, string | null> }>(ASK, [processes]);
      return {
        started: row!.started,
        states: new Map(Object.entries(row!.states).map(([process, state]) => [Number(process), state])),
      };
    });
  } catch (error) {
    // A pooler lets us in before it has a server for us, and a server without a free slot says so: both are there.
    return letIn || isDatabaseError(error) ? {} : undefined;
  }
}
