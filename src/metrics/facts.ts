import type { ReadSession } from '../database/session.js';
import type { WaitKind } from '../database/waiting.js';
import type { Proof } from '../proof/document.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readStatus, type Status } from '../status/status.js';

/** What the ledger counts beside the status. Times are seconds; moments seconds since 1970, by the server's clock. */
export interface Counts {
  stay: number;
  merge: number;
  hold: number;
  exception: number;
  /** What the run that leads waits for. */
  waiting: WaitKind | null;
  /** Waits of this attempt that are over. */
  waits: { kind: WaitKind; times: number; seconds: number }[];
  /** Until the lease of the run that leads ends; null where nobody leads. */
  lease: number | null;
  /** Of the latest run that ended. */
  last_exit: number | null;
  last_ended: number | null;
  /** The latest proof of this attempt. */
  proof: { ok: boolean; proven_at: number; keys: Proof['keys']; authorization: Proof['authorization'] } | null;
}

export interface MetricsFacts {
  status: Status;
  counts: Counts;
}

const COUNTS = `
  SELECT (SELECT coalesce(sum(stayed), 0)::float8 FROM keylift.batches WHERE state = 'done') AS stay,
    x.merge, x.hold, x.exception, r.waiting_kind AS waiting, w.waits,
    extract(epoch FROM c.owned_until - clock_timestamp())::float8 AS lease,
    e.exit_code AS last_exit, extract(epoch FROM e.ended_at)::float8 AS last_ended, p.proof
  FROM keylift.control c
  CROSS JOIN (SELECT count(*) FILTER (WHERE outcome = 'merge')::float8 AS merge, count(*) FILTER (WHERE outcome = 'hold')::float8 AS hold,
    count(*) FILTER (WHERE outcome = 'exception')::float8 AS exception FROM keylift.outcomes) x
  CROSS JOIN (SELECT coalesce(json_agg(json_build_object('kind', kind, 'times', times, 'seconds', seconds) ORDER BY kind), '[]') AS waits
    FROM (SELECT v.facts ->> 'kind' AS kind, count(*) AS times, sum((v.facts ->> 'seconds')::float8) AS seconds
      FROM keylift.events v, keylift.migration m WHERE v.kind = 'waiting' AND v.happened_at >= m.started_at GROUP BY 1) k) w
  LEFT JOIN keylift.runs r ON r.run_id = c.owner AND c.owned_until > clock_timestamp()
  LEFT JOIN (SELECT exit_code, ended_at FROM keylift.runs WHERE exit_code IS NOT NULL ORDER BY ended_at DESC LIMIT 1) e ON true
  LEFT JOIN (SELECT json_build_object('ok', ok, 'proven_at', extract(epoch FROM proven_at)::float8,
      'keys', document -> 'keys', 'authorization', document -> 'authorization') AS proof
    FROM keylift.proofs WHERE attempt = (SELECT attempt FROM keylift.migration) ORDER BY proof_no DESC LIMIT 1) p ON true`;

/** Reads the ledger, which must be there. */
export async function readMetrics(session: ReadSession, schema: MappedSchema): Promise<MetricsFacts> {
  return { status: await readStatus(session, schema), counts: await session.one<Counts>(COUNTS) };
}
