import { STAGES, type StageName } from '../ledger/states.js';
import type { Status } from '../status/status.js';
import type { Picture, StageLine } from './picture.js';
import { counted } from '../format.js';

/** What a run knows of itself before the ledger does. */
export interface Live {
  stage: string | null;
  /** How long this stage has been under way. */
  seconds: number;
  doing: string | null;
  /** Keys a stage behind the backfill has been through; null where it does not count. */
  looked: number | null;
  reason: string | null;
  /** It is over, whether it came to its end or not. */
  ended: boolean;
}

export interface SceneOptions {
  /** The database, as the operator knows it. */
  place: string;
  /** The run that draws its own picture; whoever watches from elsewhere has none. */
  live?: Live;
}

/** The picture of a migration, from what the ledger says and, where a run draws itself, what it knows better. */
export function pictureOf(status: Status, { place, live }: SceneOptions): Picture {
  const current = currentStage(status, live);
  const reason =
    live === undefined
      ? status.reason
      : live.ended
        ? null
        : (live.reason ?? (status.state === 'paused' ? status.reason : null));
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
    reason: reason === null || status.run === null ? reason : `waiting: ${reason}`,
    notes: notesOf(status, live),
  };
}

const titleOf = ({ run, state }: Status, live: Live | undefined): string => {
  if (live !== undefined) return 'keylift migrate';
  return run === null ? `keylift, ${state.replace('_', ' ')}` : `keylift ${run.command}, ${state}`;
};

/** What comes after the last stage completed, as long as a run is to go through it. */
function currentStage({ stage, run }: Status, live: Live | undefined): string | null {
  if (live !== undefined) return live.stage;
  if (run?.until == null) return null;
  const next = STAGES[place(stage) + 1];
  return next !== undefined && place(next) <= place(run.until) ? next : null;
}

const place = (stage: string | null): number => (stage === null ? -1 : STAGES.indexOf(stage as StageName));

/** A run is shown up to where it goes; finalize, which no migration includes, only once it happened. */
function stagesShown({ stage, run }: Status): readonly StageName[] {
  const last = stage === 'finalize' ? 'finalize' : (run?.until ?? 'switch');
  return STAGES.slice(0, Math.max(place(last), place(stage)) + 1);
}

interface StageWorld {
  status: Status;
  current: string | null;
  live: Live | undefined;
  waits: boolean;
}

function stageLine(name: StageName, { status, current, live, waits }: StageWorld): StageLine {
  const took = status.stages.find(({ stage }) => stage === name)?.seconds ?? null;
  if (place(name) <= place(status.stage) || place(name) < place(current))
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
  const begun = name === 'backfill' && place(name) === place(status.stage) + 1 && status.batches.done > 0;
  return {
    name,
    mark: begun ? 'stopped' : 'open',
    seconds: null,
    rows: begun ? rowsOf(name, status, live) : null,
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
