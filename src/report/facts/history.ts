import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { moment } from '../../ledger/moment.js';
import type { Proof } from '../../proof/document.js';
import type { EventLine, Listed, ProofLine, ReportFacts, RunLine } from './document.js';
import type { Sources } from './sources.js';

/** A report lists this many lines of each kind, the latest ones. */
const MOST_RUNS = 500;
const MOST_EVENTS = 1_000;
const MOST_PROOFS = 100;

const RUNS = sql`
  SELECT run_id::text AS run_id, command, arguments,
    ${moment('started_at')} AS started_at,
    ${moment('ended_at')} AS ended_at, exit_code, host, pid, database_user, version, attempt, waiting_for
  FROM keylift.runs
  ORDER BY keylift.runs.started_at DESC, run_id LIMIT ${MOST_RUNS}`;

/** Without waits, which are part of the timeline. */
const EVENTS = sql`
  SELECT ${moment('happened_at')} AS at, kind, actor, run_id::text AS run_id, facts
  FROM keylift.events
  WHERE kind <> 'waiting'
  ORDER BY event_no DESC LIMIT ${MOST_EVENTS}`;

const PROOFS = sql`
  SELECT proof_no::text AS proof_no, ${moment('proven_at')} AS proven_at, attempt, ok,
    (document #>> '{keys,compared}')::float8 AS compared, (document ->> 'seconds')::float8 AS seconds
  FROM keylift.proofs
  ORDER BY keylift.proofs.proof_no DESC LIMIT ${MOST_PROOFS}`;

/** Runs, events and proofs, the latest first. */
export async function readHistory(
  session: ReadSession,
  { attempt }: Sources,
): Promise<Pick<ReportFacts, 'runs' | 'events' | 'proofs' | 'last_proof'>> {
  const proofs = await list<ProofLine>(session, PROOFS, 'keylift.proofs');
  const last = proofs.listed[0];
  const whole =
    last?.attempt !== attempt
      ? null
      : await session.one<{ document: Proof }>('SELECT document FROM keylift.proofs WHERE proof_no = $1', [
          last.proof_no,
        ]);
  return {
    runs: await list<RunLine>(session, RUNS, 'keylift.runs'),
    events: await list<EventLine>(session, EVENTS, `keylift.events WHERE kind <> 'waiting'`),
    proofs,
    last_proof: whole === null ? null : { ...last!, document: whole.document },
  };
}

async function list<T>(session: ReadSession, statement: string, from: string): Promise<Listed<T>> {
  const { total } = await session.one<{ total: string }>(`SELECT count(*) AS total FROM ${from}`);
  return { total: Number(total), listed: (await session.query<T>(statement)).rows };
}
