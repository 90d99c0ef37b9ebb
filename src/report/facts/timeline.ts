import type { ReadSession } from '../../database/session.js';
import { moment } from '../../ledger/moment.js';
import type { Spell, StageDone, Timeline, Wait, Waited } from './document.js';
import type { Ground } from './ground.js';

/** Buckets over all spells of work together. */
const BUCKETS = 120;
const LEAST_BUCKET_SECONDS = 0.05;
const MOST_SPELLS = 40;
const MOST_WAITS = 1_000;

/** Runs this short of one another are one spell. */
const SAME_SPELL = `interval '1 minute'`;

/**
 * Spells of migrate at work in attempt $1: runs that overlap, or follow one another at once, are one. A run that was
 * never heard of again ended with its last heartbeat.
 */
const SPELLS = `
    SELECT lower(s.spell) AS began, least(upper(s.spell) - ${SAME_SPELL}, clock_timestamp()) AS ended
    FROM unnest((SELECT range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, heartbeat_at)) + ${SAME_SPELL}))
      FROM keylift.runs WHERE attempt = $1 AND command = 'migrate')) AS s (spell)`;

const SPELLS_TOLD = `
    SELECT ${moment('began')} AS "from", ${moment('ended')} AS "to", extract(epoch FROM ended - began)::float8 AS seconds
    FROM (SELECT * FROM (${SPELLS}) latest ORDER BY began DESC LIMIT ${String(MOST_SPELLS)}) s ORDER BY began`;

/** Keys accounted for by bucket of $2 seconds since a spell's beginning; a batch's keys are spread over its time. */
const PACE = `
    WITH spells AS (SELECT row_number() OVER (ORDER BY began) - 1 AS spell, began, ended
      FROM (SELECT * FROM (${SPELLS}) latest ORDER BY began DESC LIMIT ${String(MOST_SPELLS)}) s),
    worked AS (
      SELECT s.spell, b.rows, greatest(b.seconds, 0.001) AS seconds,
        greatest(0, extract(epoch FROM b.finished_at - s.began)::float8 - greatest(b.seconds, 0.001)) AS began, extract(epoch FROM b.finished_at - s.began)::float8 AS ended
      FROM keylift.batches b JOIN spells s ON b.finished_at BETWEEN s.began AND s.ended
      WHERE b.attempt = $1 AND b.state IN ('done', 'taken_back') AND b.rows > 0)
    SELECT w.spell::int AS spell, bucket, sum(w.rows * (least(w.ended, (bucket + 1) * $2::float8) - greatest(w.began, bucket * $2::float8)) / (w.ended - w.began)) AS rows
    FROM worked w, generate_series(floor(w.began / $2::float8)::int, floor(w.ended / $2::float8)::int) AS bucket
    WHERE w.ended > w.began GROUP BY 1, 2 ORDER BY 1, 2`;

/** Waits of attempt $1: those that ended, and those under way, up to now or to when their run was last heard of. */
const WAITS = `
    SELECT facts ->> 'kind' AS kind, facts ->> 'reason' AS reason, facts ->> 'from' AS "from", facts ->> 'to' AS "to", (facts ->> 'seconds')::float8 AS seconds
    FROM keylift.events JOIN keylift.runs USING (run_id) WHERE kind = 'waiting' AND attempt = $1
    UNION ALL
    SELECT waiting_kind, waiting_for, ${moment('waiting_since')}, ${moment('ended')}, greatest(0, extract(epoch FROM ended - waiting_since))::float8
    FROM (SELECT *, coalesce(ended_at, CASE WHEN lease_until > clock_timestamp() THEN clock_timestamp() ELSE heartbeat_at END) AS ended FROM keylift.runs) r
    WHERE waiting_since IS NOT NULL AND attempt = $1`;

/** The longest are told one by one; the sums are of all. */
const LONGEST_WAITS = `SELECT * FROM (${WAITS}) w ORDER BY seconds DESC LIMIT ${String(MOST_WAITS)}`;
const WAITED = `SELECT kind, min(reason) AS reason, count(*)::int AS times, sum(seconds)::float8 AS seconds FROM (${WAITS}) w GROUP BY kind ORDER BY seconds DESC`;

/** Stages completed in attempt $1, in their order. */
const STAGES_DONE = `
    SELECT facts ->> 'stage' AS stage, ${moment('happened_at')} AS at, (facts ->> 'seconds')::float8 AS seconds
    FROM keylift.events JOIN keylift.runs USING (run_id) WHERE kind = 'stage_completed' AND attempt = $1 ORDER BY event_no`;

const BATCHES = `
    SELECT count(*) FILTER (WHERE state IN ('done', 'taken_back')) AS done, count(*) FILTER (WHERE state = 'failed') AS failed,
      count(*) FILTER (WHERE state IN ('uncut', 'pending')) AS open
    FROM keylift.batches WHERE attempt = $1`;

/** When batches were done in this attempt and why they were not. */
export async function readTimeline(session: ReadSession, { attempt }: Ground): Promise<Timeline> {
  const { rows: told } = await session.query<Omit<Spell, 'rows'>>(SPELLS_TOLD, [attempt]);
  const width = Math.max(LEAST_BUCKET_SECONDS, told.reduce((sum, spell) => sum + spell.seconds, 0) / BUCKETS);
  const { rows: pace } = await session.query<{ spell: number; bucket: number; rows: number }>(PACE, [attempt, width]);
  const spells = told.map((spell) => ({
    ...spell,
    rows: Array.from({ length: Math.max(1, Math.ceil(spell.seconds / width)) }, () => 0),
  }));
  for (const { spell, bucket, rows } of pace) {
    const into = spells[spell]!.rows;
    into[Math.min(bucket, into.length - 1)]! += Number(rows);
  }
  const { rows: waited } = await session.query<Waited>(WAITED, [attempt]);
  const batches = await session.one<Record<keyof Timeline['batches'], string>>(BATCHES, [attempt]);
  return {
    spells,
    bucket_seconds: width,
    waits: {
      total: waited.reduce((sum, { times }) => sum + times, 0),
      listed: (await session.query<Wait>(LONGEST_WAITS, [attempt])).rows,
    },
    waited,
    stages: (await session.query<StageDone>(STAGES_DONE, [attempt])).rows,
    batches: { done: Number(batches.done), failed: Number(batches.failed), open: Number(batches.open) },
  };
}
