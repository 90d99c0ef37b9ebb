import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { moment } from '../../ledger/moment.js';
import type { ActivePeriod, CompletedStage, TimedLookups, Timeline, Wait, WaitSum } from './document.js';
import type { Sources } from './sources.js';

/** Buckets over all periods together. */
const BUCKETS = 120;
const LEAST_BUCKET_SECONDS = 0.05;
const MOST_PERIODS = 40;
const MOST_WAITS = 1_000;
const MOST_LOOKUPS = 100;

/** Runs with a shorter gap between them count as one period. */
const GAP = `interval '1 minute'`;

/**
 * Periods in which `migrate` was active in attempt $1. Runs that overlap or follow each other closely are one period. A
 * run whose end is unknown ended with its last heartbeat.
 */
const PERIODS = sql`
  SELECT lower(s.period) AS began, least(upper(s.period) - ${GAP}, clock_timestamp()) AS ended
  FROM unnest((
    SELECT range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, heartbeat_at)) + ${GAP}))
    FROM keylift.runs
    WHERE attempt = $1 AND command = 'migrate')) AS s (period)`;

const LATEST_PERIODS = sql`
  SELECT * FROM (
    ${PERIODS}) p
  ORDER BY began DESC LIMIT ${MOST_PERIODS}`;

const LISTED_PERIODS = sql`
  SELECT ${moment('began')} AS "from", ${moment('ended')} AS "to", extract(epoch FROM ended - began)::float8 AS seconds
  FROM (
    ${LATEST_PERIODS}) p
  ORDER BY began`;

/** Keys by bucket of $2 seconds since the start of their period. A batch's keys are spread evenly over its time. */
const KEYS_BY_BUCKET = sql`
  WITH periods AS (
    SELECT row_number() OVER (ORDER BY began) - 1 AS period, began, ended
    FROM (
      ${LATEST_PERIODS}) p
  ), batches AS (
    SELECT p.period, b.rows, extract(epoch FROM b.finished_at - p.began)::float8 AS ended,
      greatest(0, extract(epoch FROM b.finished_at - p.began)::float8 - greatest(b.seconds, 0.001)) AS began
    FROM keylift.batches b JOIN periods p ON b.finished_at BETWEEN p.began AND p.ended
    WHERE b.attempt = $1 AND b.state IN ('done', 'taken_back') AND b.rows > 0
  ), shares AS (
    SELECT b.period, bucket, b.rows / (b.ended - b.began) AS rate,
      least(b.ended, (bucket + 1) * $2::float8) - greatest(b.began, bucket * $2::float8) AS seconds
    FROM batches b, generate_series(floor(b.began / $2::float8)::int, floor(b.ended / $2::float8)::int) AS bucket
    WHERE b.ended > b.began
  )
  SELECT period::int AS period, bucket, sum(rate * seconds) AS rows
  FROM shares
  GROUP BY 1, 2
  ORDER BY 1, 2`;

/** Waits of attempt $1: finished ones, and current ones up to now or up to the last heartbeat of their run. */
const WAITS = sql`
  SELECT facts ->> 'kind' AS kind, facts ->> 'reason' AS reason, facts ->> 'from' AS "from", facts ->> 'to' AS "to",
    (facts ->> 'seconds')::float8 AS seconds
  FROM keylift.events JOIN keylift.runs USING (run_id)
  WHERE kind = 'waiting' AND attempt = $1
  UNION ALL
  SELECT waiting_kind, waiting_for, ${moment('waiting_since')}, ${moment('ended')},
    greatest(0, extract(epoch FROM ended - waiting_since))::float8
  FROM (
    SELECT *, coalesce(
      ended_at,
      CASE WHEN lease_until > clock_timestamp() THEN clock_timestamp() ELSE heartbeat_at END) AS ended
    FROM keylift.runs) r
  WHERE waiting_since IS NOT NULL AND attempt = $1`;

/** The longest waits are listed; the sums include all. */
const LONGEST_WAITS = sql`
  SELECT * FROM (
    ${WAITS}) w
  ORDER BY seconds DESC LIMIT ${MOST_WAITS}`;

const WAIT_SUMS = sql`
  SELECT kind, min(reason) AS reason, count(*)::int AS times, sum(seconds)::float8 AS seconds
  FROM (
    ${WAITS}) w
  GROUP BY kind
  ORDER BY seconds DESC`;

/** Stages completed in attempt $1, in order. */
const COMPLETED_STAGES = sql`
  SELECT facts ->> 'stage' AS stage, ${moment('happened_at')} AS at, (facts ->> 'seconds')::float8 AS seconds
  FROM keylift.events JOIN keylift.runs USING (run_id)
  WHERE kind = 'stage_completed' AND attempt = $1
  ORDER BY event_no`;

const LOOKUPS = sql`
  SELECT run_id::text AS run_id, (lookups ->> 'p95_of_all')::float8 AS p95_seconds,
    (lookups ->> 'limit')::float8 AS limit_seconds, (lookups ->> 'samples')::int AS samples
  FROM keylift.runs
  WHERE lookups IS NOT NULL AND attempt = $1
  ORDER BY started_at DESC, keylift.runs.run_id
  LIMIT ${MOST_LOOKUPS}`;

const BATCHES = sql`
  SELECT count(*) FILTER (WHERE state IN ('done', 'taken_back')) AS done,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state IN ('uncut', 'pending')) AS open
  FROM keylift.batches
  WHERE attempt = $1`;

/** When the batches of this attempt ran, and what the runs waited for. */
export async function readTimeline(session: ReadSession, { attempt }: Sources): Promise<Timeline> {
  const { rows: listed } = await session.query<Omit<ActivePeriod, 'rows'>>(LISTED_PERIODS, [attempt]);
  const width = Math.max(LEAST_BUCKET_SECONDS, listed.reduce((sum, { seconds }) => sum + seconds, 0) / BUCKETS);
  const { rows: waited } = await session.query<WaitSum>(WAIT_SUMS, [attempt]);
  const batches = await session.one<Record<keyof Timeline['batches'], string>>(BATCHES, [attempt]);
  return {
    spells: await withRows(session, listed, { attempt, width }),
    bucket_seconds: width,
    waits: {
      total: waited.reduce((sum, { times }) => sum + times, 0),
      listed: (await session.query<Wait>(LONGEST_WAITS, [attempt])).rows,
    },
    waited,
    lookups: (await session.query<TimedLookups>(LOOKUPS, [attempt])).rows,
    stages: (await session.query<CompletedStage>(COMPLETED_STAGES, [attempt])).rows,
    batches: { done: Number(batches.done), failed: Number(batches.failed), open: Number(batches.open) },
  };
}

async function withRows(
  session: ReadSession,
  listed: readonly Omit<ActivePeriod, 'rows'>[],
  { attempt, width }: { attempt: number; width: number },
): Promise<ActivePeriod[]> {
  const periods = listed.map((period) => ({
    ...period,
    rows: Array.from({ length: Math.max(1, Math.ceil(period.seconds / width)) }, () => 0),
  }));
  const { rows: counts } = await session.query<{ period: number; bucket: number; rows: number }>(KEYS_BY_BUCKET, [
    attempt,
    width,
  ]);
  for (const { period, bucket, rows } of counts) {
    const into = periods[period]!.rows;
    into[Math.min(bucket, into.length - 1)]! += Number(rows);
  }
  return periods;
}
