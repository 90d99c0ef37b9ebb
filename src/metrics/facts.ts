import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import type { WaitKind } from '../database/waiting.js';
import { JOIN_RUN_AT_WORK } from '../ledger/run-at-work.js';
import type { Proof } from '../proof/document.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readStatus, type Status } from '../status/status.js';

/** Counts from the ledger in addition to the status. Times are in seconds, points in time in seconds since 1970. */
export interface Counts {
  stay: number;
  merge: number;
  hold: number;
  exception: number;
  /** What the leading run waits for. */
  waiting: WaitKind | null;
  /** Finished waits of this attempt. */
  waits: { kind: WaitKind; times: number; seconds: number }[];
  /** Time until the lease of the leading run ends; null without a run. */
  lease: number | null;
  /** Of the latest run that has ended. */
  last_exit: number | null;
  last_ended: number | null;
  /** The latest proof of this attempt. */
  proof: { ok: boolean; proven_at: number; keys: Proof['keys']; authorization: Proof['authorization'] } | null;
}

export interface MetricsFacts {
  status: Status;
  counts: Counts;
}

const OUTCOMES = sql`
  SELECT count(*) FILTER (WHERE outcome = 'merge')::float8 AS merge,
    count(*) FILTER (WHERE outcome = 'hold')::float8 AS hold,
    count(*) FILTER (WHERE outcome = 'exception')::float8 AS exception
  FROM keylift.outcomes`;

const WAITS = sql`
  SELECT coalesce(
    json_agg(json_build_object('kind', kind, 'times', times, 'seconds', seconds) ORDER BY kind), '[]') AS waits
  FROM (
    SELECT v.facts ->> 'kind' AS kind, count(*) AS times, sum((v.facts ->> 'seconds')::float8) AS seconds
    FROM keylift.events v, keylift.migration m
    WHERE v.kind = 'waiting' AND v.happened_at >= m.started_at
    GROUP BY 1) k`;

const LAST_ENDED = sql`
  SELECT exit_code, ended_at FROM keylift.runs WHERE exit_code IS NOT NULL ORDER BY ended_at DESC LIMIT 1`;

const LAST_PROOF = sql`
  SELECT json_build_object('ok', ok, 'proven_at', extract(epoch FROM proven_at)::float8,
    'keys', document -> 'keys', 'authorization', document -> 'authorization') AS proof
  FROM keylift.proofs
  WHERE attempt = (SELECT attempt FROM keylift.migration)
  ORDER BY proof_no DESC LIMIT 1`;

const COUNTS = sql`
  SELECT (SELECT coalesce(sum(stayed), 0)::float8 FROM keylift.batches WHERE state = 'done') AS stay,
    x.merge, x.hold, x.exception, r.waiting_kind AS waiting, w.waits,
    extract(epoch FROM c.owned_until - clock_timestamp())::float8 AS lease,
    e.exit_code AS last_exit, extract(epoch FROM e.ended_at)::float8 AS last_ended, p.proof
  FROM keylift.control c
    CROSS JOIN (
      ${OUTCOMES}) x
    CROSS JOIN (
      ${WAITS}) w
    ${JOIN_RUN_AT_WORK}
    LEFT JOIN (
      ${LAST_ENDED}) e ON true
    LEFT JOIN (
      ${LAST_PROOF}) p ON true`;

/** Reads the ledger, which must exist. */
export async function readMetrics(session: ReadSession, schema: MappedSchema): Promise<MetricsFacts> {
  return { status: await readStatus(session, schema), counts: await session.one<Counts>(COUNTS) };
}
