import { ALL_STEPS } from '../../migrations/index.js';
import { version } from '../config/package-root.js';
import type { Database } from '../database/connect.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { refuseLaterVersion } from '../ledger/later-version.js';
import { moment } from '../ledger/moment.js';

/** Runs that are listed, the latest ones. */
const MOST_RUNS = 500;

/** A run of the ledger. */
export interface HistoryRun {
  run_id: string;
  command: string;
  /** Without secrets; null for a caller of the package. */
  arguments: string[] | null;
  started_at: string;
  ended_at: string | null;
  /** Until its end, or until now while it is active; null where its end is not known. */
  seconds: number | null;
  /** `lost`: the process ended, or lost the database, before it could record an end. */
  state: 'active' | 'ended' | 'lost';
  exit_code: number | null;
  /** Of the error that ended it. */
  error_code: string | null;
  /** What the command answered. */
  result: unknown;
  database_user: string;
  host: string;
  pid: number;
  version: string;
  attempt: number | null;
}

/** What `history --json` prints: the latest runs first. */
export interface History {
  total: number;
  runs: HistoryRun[];
}

const RUNS = sql`
  SELECT r.run_id::text AS run_id, r.command, r.arguments, ${moment('r.started_at')} AS started_at,
    CASE WHEN r.exit_code IS NOT NULL THEN ${moment('r.ended_at')} END AS ended_at,
    CASE s.state
      WHEN 'ended' THEN extract(epoch FROM r.ended_at - r.started_at)
      WHEN 'active' THEN extract(epoch FROM clock_timestamp() - r.started_at)
    END::float8 AS seconds,
    s.state, r.exit_code, r.error_code, r.result, r.database_user, r.host, r.pid, r.version, r.attempt
  FROM keylift.runs r,
    LATERAL (SELECT CASE
      WHEN r.exit_code IS NOT NULL THEN 'ended'
      WHEN r.ended_at IS NULL AND r.lease_until > clock_timestamp() THEN 'active'
      ELSE 'lost'
    END AS state) s
  ORDER BY r.started_at DESC, r.run_id
  LIMIT ${MOST_RUNS}`;

/** Reads the runs from the ledger alone: no table of the operator is looked at. No ledger, no runs. */
export const readHistory = (database: Database): Promise<History> =>
  database.readOnly(async (session) => {
    if (!(await hasRuns(session))) return { total: 0, runs: [] };
    await refuseLaterVersion(session, { version: version(), steps: ALL_STEPS });
    const { total } = await session.one<{ total: string }>('SELECT count(*) AS total FROM keylift.runs');
    return { total: Number(total), runs: (await session.query<HistoryRun>(RUNS)).rows };
  });

const hasRuns = async (session: ReadSession): Promise<boolean> =>
  (await session.first(`
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'keylift' AND c.relname = 'runs'`)) !== undefined;
