import type { ReadSession } from '../database/session.js';
import { readState, type LedgerState } from '../ledger/state.js';
import { withArchive } from '../legacy/archive.js';
import type { MappedSchema } from '../legacy/inspect.js';

export type RunState = 'idle' | 'running' | 'paused' | 'waiting' | 'done' | 'rolled_back';

/** What `status --json` prints. Seconds and rates are null until they mean something. */
export interface Status {
  stage: string | null;
  state: RunState;
  /** Keys moved so far, and per-API keys in all. */
  moved: number;
  total: number;
  /** Why nothing moves, or what to do next; null while all is well. */
  reason: string | null;
  rows_per_second: number | null;
  seconds_left: number | null;
  switched: 'none' | 'some' | 'all';
  exceptions: number;
  run: { id: string; command: string; host: string; pid: number; started_at: string } | null;
}

/** Reads the ledger; writes nothing and creates nothing, also where keylift was never installed. */
export async function readStatus(session: ReadSession, schema: MappedSchema): Promise<Status> {
  const state = await readState(session);
  const { legacy: l } = schema;
  if (state === null || state.state === 'rolled_back') {
    const { total } = await session.one<{ total: string }>(`SELECT count(*) AS total FROM ${l.keys} k WHERE ${l.isPerApiKey}`);
    return {
      ...NOTHING,
      total: Number(total),
      state: state === null ? 'idle' : 'rolled_back',
      reason: state === null ? 'nothing was migrated yet' : 'taken back; migrate starts afresh',
    };
  }
  const facts = await session.one<Facts>(FACTS);
  return describe(state, facts, await countKeys(session, schema, facts));
}

const NOTHING: Status = {
  stage: null, state: 'idle', moved: 0, total: 0, reason: null, rows_per_second: null, seconds_left: null,
  switched: 'none', exceptions: 0, run: null,
};

interface Facts {
  open: string;
  failed: string;
  done_rows: string;
  done_moved: string;
  rate: number | null;
  exceptions: string;
  mode: Status['switched'];
  paused: boolean;
  run_id: string | null;
  command: string;
  host: string;
  pid: number;
  started_at: string;
  waiting_for: string | null;
}

const FACTS = `
  SELECT b.*, (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'exception') AS exceptions,
    (SELECT mode FROM keylift.switch_rule) AS mode, c.paused, r.run_id, r.command, r.host, r.pid, r.started_at::text AS started_at, r.waiting_for
  FROM (
    SELECT count(*) FILTER (WHERE open) AS open, count(*) FILTER (WHERE state = 'failed') AS failed,
      coalesce(sum(rows) FILTER (WHERE state = 'done'), 0) AS done_rows, coalesce(sum(moved) FILTER (WHERE state = 'done'), 0) AS done_moved,
      sum(rows) FILTER (WHERE finished_at > clock_timestamp() - interval '30 seconds')
        / greatest(1, extract(epoch FROM clock_timestamp() - min(finished_at - make_interval(secs => seconds)) FILTER (WHERE finished_at > clock_timestamp() - interval '30 seconds'))) AS rate
    FROM keylift.batches) b
  CROSS JOIN keylift.control c
  LEFT JOIN keylift.runs r ON r.run_id = c.owner AND c.owned_until > clock_timestamp()`;

async function countKeys(session: ReadSession, mapped: MappedSchema, facts: Facts): Promise<{ moved: number; total: number }> {
  // Finalized rows count as what they were: per-API keys that moved.
  const { legacy: l } = await withArchive(session, mapped);
  // While batches run their ledger lines are exact and cheap; at rest the tables themselves are asked.
  if (Number(facts.open) > 0) {
    const { total } = await session.one<{ total: string }>(`SELECT count(*) AS total FROM ${l.keys} k WHERE ${l.isPerApiKey}`);
    return { moved: Number(facts.done_moved), total: Number(total) };
  }
  // Half an expand has no table yet.
  const { present } = await session.one<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [l.target]);
  const row = await session.one<{ moved: string; total: string }>(
    `SELECT ${present ? `(SELECT count(*) FROM ${l.target} WHERE origin_api_id IS NOT NULL)` : '0'} AS moved, (SELECT count(*) FROM ${l.keys} k WHERE ${l.isPerApiKey}) AS total`,
  );
  return { moved: Number(row.moved), total: Number(row.total) };
}

function describe(state: LedgerState, facts: Facts, counts: { moved: number; total: number }): Status {
  const running = facts.run_id !== null;
  const rate = running && facts.rate !== null ? Math.round(Number(facts.rate)) : null;
  return {
    ...counts,
    stage: state.stage,
    state: stateOf(state, facts),
    reason: reasonOf(state, facts),
    rows_per_second: rate,
    seconds_left: rate !== null && rate > 0 ? Math.ceil(Math.max(0, counts.total - Number(facts.done_rows)) / rate) : null,
    switched: facts.mode,
    exceptions: Number(facts.exceptions),
    run: running ? { id: facts.run_id!, command: facts.command, host: facts.host, pid: facts.pid, started_at: facts.started_at } : null,
  };
}

function stateOf(state: LedgerState, facts: Facts): RunState {
  if (facts.run_id !== null) return facts.paused ? 'paused' : facts.waiting_for !== null ? 'waiting' : 'running';
  if (facts.paused) return 'paused';
  if (['rolling_back', 'restoring', 'finalizing'].includes(state.state)) return 'idle';
  return state.stage === 'switch' || state.stage === 'finalize' ? 'done' : 'idle';
}

function reasonOf(state: LedgerState, facts: Facts): string | null {
  if (facts.paused) return 'paused by an operator; keylift resume goes on';
  if (facts.run_id !== null) return facts.waiting_for;
  if (state.state === 'finalizing') return 'a finalize was interrupted; run keylift finalize again, or keylift rollback';
  if (state.state === 'rolling_back' || state.state === 'restoring') return 'a rollback was interrupted; run keylift rollback again';
  if (Number(facts.failed) > 0) return `${facts.failed} batches failed; run keylift migrate again`;
  if (state.stage === 'switch' || state.stage === 'finalize') return null;
  return 'no run is at work; keylift migrate goes on';
}
