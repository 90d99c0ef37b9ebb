import type { Where } from './address.js';
import { withSeparateConnection } from './separate-connection.js';
import { databaseSilent, sessionForgotten } from './failures.js';
import type { Line, Server } from './session.js';
import { isDatabaseError } from './sqlstate.js';

/** Beats without data after which the monitor asks about a statement. Most statements end long before. */
const QUIET_BEATS = 2;
/** Beats without an answer to that question, after which the server counts as unreachable. */
const SILENT_BEATS = 4;
export const BEAT_MS = 5_000;

/** What the server says about its processes. Empty when it answers without a session, as a pooler may. */
export interface ServerState {
  started?: string;
  /** The state of each process in pg_stat_activity; null where the role may not see it. */
  states?: ReadonlyMap<number, string | null>;
}

export interface MonitorOptions {
  where: Where;
  lines: () => Iterable<Line>;
  /** Undefined without an answer. */
  ask: (processes: number[]) => Promise<ServerState | undefined>;
  beatMs?: number;
}

interface Quiet {
  sign: string;
  beats: number;
  /** Answers in a row that say that the server does not work on its statement. */
  forgotten: number;
}

/**
 * Finds connections that were lost without an error. A statement may take as long as it needs; after two beats without
 * data the monitor asks the server about it, over a connection of its own. The connection is lost when the server does
 * not work on the statement; all connections are lost when no answer comes.
 *
 * Beats are counted, and not seconds: a suspended process has not listened, and asks again.
 */
export function startConnectionMonitor(options: MonitorOptions): { beat: () => void; end: () => void } {
  const quiet = new Map<Line, Quiet>();
  const beatMs = options.beatMs ?? BEAT_MS;
  let unanswered = 0;
  let asking = false;

  const ask = async (lines: Line[]): Promise<void> => {
    asking = true;
    const state = await options.ask(lines.flatMap((line) => line.server()?.process ?? [])).finally(() => {
      asking = false;
    });
    if (state === undefined) return;
    unanswered = 0;
    for (const line of lines) breakOffForgotten(line, { state, quiet, where: options.where });
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

/** Counts a beat for each line that waits. Returns the lines that have waited long enough to ask about them. */
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

/** The answer about a line may be older than its data, so two answers without data in between are needed. */
function breakOffForgotten(
  line: Line,
  { state, quiet, where }: { state: ServerState; quiet: Map<Line, Quiet>; where: Where },
): void {
  const seen = quiet.get(line);
  if (seen === undefined || seen.sign !== line.sign()) return;
  seen.forgotten = isForgotten(line.server(), state) ? seen.forgotten + 1 : 0;
  if (seen.forgotten >= 2) line.breakOff(sessionForgotten(where));
}

function isForgotten(server: Server | undefined, { started, states }: ServerState): boolean {
  // Through a balancer another server may have answered, which does not know the process.
  if (server === undefined || states === undefined || started !== server.started) return false;
  const state = states.get(server.process);
  return state === undefined || state?.startsWith('idle') === true;
}

const ASK = `
  SELECT pg_catalog.pg_postmaster_start_time()::text AS started,
    (SELECT coalesce(pg_catalog.jsonb_object_agg(a.pid, a.state), '{}') FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY ($1::int[])) AS states`;

/** Asks the server about its processes, with `timeoutMs` for each answer. Undefined without an answer. */
export async function askServer(
  url: string,
  processes: number[],
  { timeoutMs }: { timeoutMs: number },
): Promise<ServerState | undefined> {
  let letIn = false;
  try {
    return await withSeparateConnection(url, { application: 'keylift-monitor', timeoutMs }, async (client) => {
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
    // A pooler accepts a connection before it has a server for it, and a server without a free slot says so.
    return letIn || isDatabaseError(error) ? {} : undefined;
  }
}
