import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import { JOIN_RUN_AT_WORK } from '../ledger/run-at-work.js';
import type { RunPace } from '../ledger/runs.js';
import { isoDate, moment } from '../ledger/moment.js';
import type { StageName } from '../ledger/states.js';
import type { Lookups } from '../run/events.js';

/** What the ledger contains about the migration and the active run. */
export interface Facts {
  open: string;
  failed: string;
  done: string;
  done_rows: string;
  done_moved: string;
  /** Batches that ended within the last 30 seconds, and within the last 10. */
  longer_batches: string;
  longer_rows: string;
  longer_seconds: number;
  latest_batches: string;
  latest_rows: string;
  latest_seconds: number;
  batch_seconds: number | null;
  exceptions: string;
  mode: 'none' | 'some' | 'all';
  paused: boolean;
  concurrency: number | null;
  stages: { stage: StageName; seconds: number }[];
  runs: string;
  run_id: string | null;
  command: string;
  host: string;
  pid: number;
  started_at: string;
  pace: RunPace | null;
  waiting_for: string | null;
  lookups: Lookups | null;
  /** The last heartbeat of that run, and its age. */
  heartbeat_at: string;
  heartbeat_seconds: number;
}

/** The seconds of a window count from the start of its first batch until now, because batches overlap. */
const window = (name: string, seconds: number): string => {
  const recent = `FILTER (WHERE finished_at > clock_timestamp() - interval '${String(seconds)} seconds')`;
  const began = 'min(finished_at - make_interval(secs => seconds))';
  return sql`
    count(*) ${recent} AS ${name}_batches, coalesce(sum(rows) ${recent}, 0) AS ${name}_rows,
    greatest(1, extract(epoch FROM clock_timestamp() - ${began} ${recent}))::float8 AS ${name}_seconds`;
};

const STAGES = sql`
  SELECT coalesce(json_agg(json_build_object(
    'stage', e.facts->>'stage', 'seconds', (e.facts->>'seconds')::float8) ORDER BY e.event_no), '[]')
  FROM keylift.events e, keylift.migration m
  WHERE e.kind = 'stage_completed' AND e.happened_at >= m.started_at`;

const BATCHES = sql`
  SELECT count(*) FILTER (WHERE open) AS open, count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'done') AS done,
    coalesce(sum(rows) FILTER (WHERE state = 'done'), 0) AS done_rows,
    coalesce(sum(moved) FILTER (WHERE state = 'done'), 0) AS done_moved,
    ${window('longer', 30)},
    ${window('latest', 10)},
    (avg(seconds) FILTER (WHERE finished_at > clock_timestamp() - interval '10 seconds'))::float8 AS batch_seconds
  FROM keylift.batches`;

const FACTS = sql`
  SELECT b.*, (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'exception') AS exceptions,
    (SELECT mode FROM keylift.switch_rule) AS mode,
    c.paused, coalesce(c.concurrency, (r.pace->>'concurrency')::int) AS concurrency,
    (${STAGES}) AS stages,
    (SELECT count(*) FROM keylift.runs WHERE ended_at IS NULL AND lease_until > clock_timestamp()) AS runs,
    r.run_id, r.command, r.host, r.pid, ${isoDate('r.started_at')} AS started_at, r.pace, r.waiting_for, r.lookups,
    ${moment('r.heartbeat_at')} AS heartbeat_at,
    round(extract(epoch FROM clock_timestamp() - r.heartbeat_at))::int AS heartbeat_seconds
  FROM (
    ${BATCHES}) b
    CROSS JOIN keylift.control c
    ${JOIN_RUN_AT_WORK}`;

/** Reads the ledger, which must exist. */
export const readFacts = (session: ReadSession): Promise<Facts> => session.one<Facts>(FACTS);
