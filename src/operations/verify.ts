import { withRetry } from '../database/with-retry.js';
import { requireAllowed } from '../ledger/allowed.js';
import { readInstalled } from '../ledger/installed.js';
import { requireSettings } from '../ledger/migration.js';
import { isBegun, reached } from '../ledger/states.js';
import type { Proof } from '../proof/document.js';
import type { Probe } from '../proof/probe/document.js';
import type { ProbePlan } from '../proof/probe/plan.js';
import { probe } from '../proof/probe/probe.js';
import { readProbe } from '../proof/probe/settings.js';
import type { Replay } from '../proof/replay/document.js';
import { checkReplayFile } from '../proof/replay/lines.js';
import { replay } from '../proof/replay/replay.js';
import { waitsTo } from '../run/events.js';
import { proveAndKeep } from '../stages/verify/prove.js';
import type { OperationContext } from './context.js';
import { openMapped, type Opened } from './opened.js';

export interface VerifyOptions {
  /** A file of recorded decisions (NDJSON) to run through the old rule and the new one. */
  replay?: string | undefined;
  /** A file of HTTP requests with canary keys (JSON) to send to the gateway. */
  probe?: string | undefined;
}

/** Why the keys themselves were not compared. */
export type Unproven = 'nothing_migrated' | 'backfill_unfinished';

/** What a verification found. */
export interface Evidence {
  proof: Proof | Unproven;
  replay: Replay | undefined;
  probe: Probe | undefined;
}

/** What `verify --json` prints: schemas/verify.schema.json. Without a proof the counts are 0. */
export interface VerifyDocument extends Proof {
  unproven?: Unproven;
  replay?: Replay;
  probe?: Probe;
}

/** Proves the migration. It opens the database itself, so that faults of the files come first. */
export async function verify(context: OperationContext, options: VerifyOptions): Promise<Evidence> {
  const { replay: file, probe: probeFile } = options;
  if (file !== undefined) await checkReplayFile(file);
  const requests = probeFile === undefined ? undefined : await readProbe(probeFile, context.env);
  const opened = await openMapped(context);
  return {
    proof: await proveIfPossible(context, opened, options),
    replay: file === undefined ? undefined : await replayFile(context, opened, file),
    probe: requests === undefined ? undefined : await sendRequests(context, opened, requests),
  };
}

/** Before the backfill is done there is nothing to prove: `verify` alone is refused, replay and probe still run. */
async function proveIfPossible(
  { settings, stop, emit }: OperationContext,
  { database, schema }: Opened,
  options: VerifyOptions,
): Promise<Evidence['proof']> {
  const others = options.replay !== undefined || options.probe !== undefined;
  const { state } = await database.readOnly((s) => readInstalled(s, settings, { visibleOnly: others }));
  if (state !== null) requireSettings(state, settings);
  if (others && !isBegun(state)) return 'nothing_migrated';
  if (others && !reached(state!.stage, 'harden')) return 'backfill_unfinished';
  requireAllowed('verify', state);
  const retried = withRetry(database, { stop, onWait: waitsTo(emit) });
  return proveAndKeep({ database: retried, schema, stop, emit }, { runId: null });
}

const replayFile = ({ stop, emit }: OperationContext, { database, schema }: Opened, file: string): Promise<Replay> =>
  replay(database, schema, {
    file,
    stop,
    onProgress: (decisions) => {
      emit({ kind: 'replayed', decisions });
    },
  });

const sendRequests = (
  { stop, emit }: OperationContext,
  { database, schema }: Opened,
  requests: ProbePlan,
): Promise<Probe> =>
  probe(database, schema, {
    plan: requests,
    stop,
    onAnswer: (text) => {
      emit({ kind: 'answer', text });
    },
  });

/** The document of the evidence. */
export function verifyDocument({ proof, replay: replayed, probe: probed }: Evidence): VerifyDocument {
  const ok = (typeof proof === 'string' || proof.ok) && replayed?.ok !== false && probed?.ok !== false;
  return {
    ...(typeof proof === 'string' ? { ...NOTHING_COMPARED, unproven: proof } : proof),
    ok,
    ...(replayed === undefined ? {} : { replay: replayed }),
    ...(probed === undefined ? {} : { probe: probed }),
  };
}

const NOTHING_COMPARED: Proof = {
  ok: true,
  keys: { compared: 0, missing: 0, extra: 0, different: 0 },
  authorization: {
    lost: 0,
    gained_store: 0,
    predicted_gained_store: 0,
    gained_custom: 0,
    gained_foreign: 0,
    revived: 0,
  },
  mirror: { ok: true, faults: [] },
  differences: [],
  rows: 0,
  chunks: 0,
  asked: 0,
  seconds: 0,
};
