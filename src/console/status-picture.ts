import { STAGES, type StageName } from '../ledger/states.js';
import type { Status } from '../status/status.js';
import type { Picture, StageLine } from './picture.js';
import { counted } from '../format.js';

/** What a run knows about itself before it is in the ledger. */
export interface Live {
  stage: string | null;
  /** How long this stage has been active. */
  seconds: number;
  doing: string | null;
  /** Keys that a stage after the backfill has checked; null for a stage that does not count keys. */
  looked: number | null;
  reason: string | null;
  /** True when the run is over, with or without success. */
  ended: boolean;
}

export interface StatusPictureOptions {
  /** The database, as the operator knows it. */
  place: string;
  /** Set by a run that draws its own picture, not by `status --watch`. */
  live?: Live;
}

/** The picture of a migration from its status. A run that draws itself adds what it knows. */
export function pictureOf(status: Status, { place, live }: StatusPictureOptions): Picture {
  const current = currentStage(status, live);
  const reason = reasonOf(status, live);
  return {
    title: `${titleOf(status, live)}: ${place}`,
    stages:
      status.stage === null && current === null
        ? []
        : stagesShown(status).map((name) => stageLine(name, { status, current, live, waits: reason !== null })),
    rate: status.rows_per_second,
    secondsLeft: status.seconds_left,
    batchSeconds: status.batch_seconds,
    concurrency: status.concurrency,
    runs: status.run?.runs ?? 1,
    lagSeconds: status.lag_seconds,
    lookups: status.lookups,
    reason: reason === null || status.run === null ? reason : `waiting: ${reason}`,
    notes: notesOf(status, live),
  };
}

function reasonOf({ reason, state }: Status, live: Live | undefined): string | null {
  if (live === undefined) return reason;
  if (live.ended) return null;
  return live.reason ?? (state === 'paused' ? reason : null);
}

const titleOf = ({ run, state }: Status, live: Live | undefined): string => {
  if (live !== undefined) return 'keylift migrate';
  return run === null ? `keylift, ${state.replace('_', ' ')}` : `keylift ${run.command}, ${state}`;
};

/** The stage after the last completed one, if a run goes through it. */
function currentStage({ stage, run }: Status, live: Live | undefined): string | null {
  if (live !== undefined) return live.stage;
  if (run?.until == null) return null;
  const next = STAGES[positionOf(stage) + 1];
  return next !== undefined && positionOf(next) <= positionOf(run.until) ? next : null;
}

const positionOf = (stage: string | null): number => (stage === null ? -1 : STAGES.indexOf(stage as StageName));

/** The stages up to the last one of the run. `finalize`, which `migrate` does not include, only when it is done. */
function stagesShown({ stage, run }: Status): readonly StageName[] {
  const last = stage === 'finalize' ? 'finalize' : (run?.until ?? 'switch');
  return STAGES.slice(0, Math.max(positionOf(last), positionOf(stage)) + 1);
}

interface StageInput {
  status: Status;
  current: string | null;
  live: Live | undefined;
  waits: boolean;
}

function stageLine(name: StageName, { status, current, live, waits }: StageInput): StageLine {
  const took = status.stages.find(({ stage }) => stage === name)?.seconds ?? null;
  if (positionOf(name) <= positionOf(status.stage) || positionOf(name) < positionOf(current))
    return { name, mark: 'done', seconds: took, rows: null, doing: null };
  if (name === current) {
    return {
      name,
      mark: live?.ended === true ? 'stopped' : waits ? 'waiting' : 'current',
      seconds: live?.seconds ?? null,
      rows: rowsOf(name, status, live),
      doing: status.doing ?? live?.doing ?? null,
    };
  }
  const started = name === 'backfill' && positionOf(name) === positionOf(status.stage) + 1 && status.batches.done > 0;
  return {
    name,
    mark: started ? 'stopped' : 'open',
    seconds: null,
    rows: started ? rowsOf(name, status, live) : null,
    doing: null,
  };
}

function rowsOf(name: StageName, { looked_at: done, total }: Status, live: Live | undefined): StageLine['rows'] {
  if (name === 'backfill') return { done, total };
  return live?.looked == null ? null : { done: live.looked, total };
}

const SWITCHED: Record<Status['switched'], string> = {
  none: 'every account is answered by its per-API keys',
  some: 'some accounts are answered from Settings',
  all: 'every account is answered from Settings',
};

function notesOf({ stage, moved, exceptions, switched, batches, run }: Status, live: Live | undefined): string[] {
  if (stage === null) return [];
  return [
    [
      counted(moved, 'account key'),
      ...(exceptions === 0 ? [] : [counted(exceptions, 'exception')]),
      ...(batches.failed === 0 ? [] : [`${counted(batches.failed, 'failed range')}`]),
      SWITCHED[switched],
    ].join('; '),
    ...(run === null || live !== undefined ? [] : [`run ${run.id} on ${run.host}, process ${String(run.pid)}`]),
  ];
}
