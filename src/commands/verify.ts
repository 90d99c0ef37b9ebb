import { withRetry } from '../database/with-retry.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { counted } from '../format.js';
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
import { proveAndKeep } from '../stages/verify/prove.js';
import { probeText, proofText, unprovenText } from '../console/proof-text.js';
import { replayText } from '../console/replay-text.js';
import { waitsTo } from '../run/events.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { verifyCommand } from './definitions/migrate.js';
import { logRun } from './log-run.js';
import type { Arguments } from './read-arguments.js';
import { openMapped, type Opened } from './opened.js';

/** Why the keys themselves were not compared. */
type Unproven = 'nothing_migrated' | 'backfill_unfinished';

interface Evidence {
  proof: Proof | Unproven;
  replay: Replay | undefined;
  probe: Probe | undefined;
}

export const run: Run<typeof verifyCommand> = async (context, args) => {
  // Both files first, so that their faults are reported before a proof of minutes.
  if (args.replay !== undefined) await checkReplayFile(args.replay);
  const plan = args.probe === undefined ? undefined : await readProbe(args.probe, context.io.env);
  const opened = await openMapped(context);
  const evidence: Evidence = {
    proof: await proveIfPossible(context, opened, args),
    replay: args.replay === undefined ? undefined : await replayFile(context, opened, args.replay),
    probe: plan === undefined ? undefined : await sendRequests(context, opened, plan),
  };
  if (context.json) context.printAnswer(documentOf(evidence));
  else context.write(textOf(evidence));
  return exitOf(evidence);
};

/** Before the backfill is done there is nothing to prove: `verify` alone is refused, replay and probe still run. */
async function proveIfPossible(
  context: CommandContext,
  { database, schema }: Opened,
  args: Arguments<typeof verifyCommand>,
): Promise<Evidence['proof']> {
  const others = args.replay !== undefined || args.probe !== undefined;
  const { state } = await database.readOnly((s) => readInstalled(s, context.settings, { visibleOnly: others }));
  if (state !== null) requireSettings(state, context.settings);
  if (others && !isBegun(state)) return 'nothing_migrated';
  if (others && !reached(state!.stage, 'harden')) return 'backfill_unfinished';
  requireAllowed('verify', state);
  const { stop } = context;
  const emit = logRun(context);
  const retried = withRetry(database, { stop, onWait: waitsTo(emit) });
  return proveAndKeep({ database: retried, schema, stop, emit }, { runId: null });
}

const replayFile = (context: CommandContext, { database, schema }: Opened, file: string): Promise<Replay> =>
  replay(database, schema, {
    file,
    stop: context.stop,
    onProgress: (lines) => {
      context.logger.info('progress', `  ${counted(lines, 'decision')} replayed`, { rows: lines });
    },
  });

const sendRequests = (context: CommandContext, { database, schema }: Opened, plan: ProbePlan): Promise<Probe> =>
  probe(database, schema, {
    plan,
    stop: context.stop,
    onAnswer: (text) => {
      context.logger.info('answer', `  ${text}`);
    },
  });

/** schemas/verify.schema.json. Without a proof the counts are 0, and `unproven` has the reason. */
function documentOf({ proof, replay: replayed, probe: probed }: Evidence): unknown {
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
  differences: [],
  rows: 0,
  chunks: 0,
  asked: 0,
  seconds: 0,
};

function textOf({ proof, replay: replayed, probe: probed }: Evidence): string {
  return [
    typeof proof === 'string' ? unprovenText(proof) : proofText(proof),
    ...(replayed === undefined ? [] : [replayText(replayed)]),
    ...(probed === undefined ? [] : [probeText(probed)]),
  ].join('');
}

/** A difference comes first, then a gateway that could not be reached, then a file without decisions. */
function exitOf({ proof, replay: replayed, probe: probed }: Evidence): ExitCode {
  const differs =
    (typeof proof !== 'string' && !proof.ok) || (replayed?.unexplained ?? 0) > 0 || (probed?.different ?? 0) > 0;
  if (differs) return EXIT.differences;
  if ((probed?.unanswered ?? 0) > 0) return EXIT.unreachable;
  return replayed?.ok === false ? EXIT.usage : EXIT.done;
}
