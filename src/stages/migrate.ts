import { STEPS } from '../../migrations/index.js';
import { allDone } from '../database/together.js';
import { keyliftError } from '../errors/keylift-error.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { recordEvent } from '../ledger/events.js';
import { releaseRolledBack, storeHolds, type Holds } from '../ledger/holds.js';
import { beginAttempt, moveTo, readState } from '../ledger/migration.js';
import { reached, STAGES, type StageName } from '../ledger/states.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { Proof } from '../proof/document.js';
import { proveAndKeep } from './verify/prove.js';
import { backfill } from './backfill/backfill.js';
import { analyzeTarget } from './backfill/copy.js';
import { settleAgain, settleUnaccounted } from './settle-again.js';
import type { StageContext } from '../run/context.js';
import { harden } from './harden/harden.js';
import { applySwitch } from './switch/rule.js';

/** What `migrate --json` prints: totals of the migration, not of this run. */
export interface MigrationReport {
  stage: StageName | null;
  moved: number;
  merged: number;
  exceptions: number;
  batches: number;
  seconds: number;
}

export interface MigrateOptions {
  until: Exclude<StageName, 'finalize'>;
  /** Replaces the holds in force; undefined leaves them. */
  holds: Holds | undefined;
}

/**
 * Goes through the stages that are left, each committed by itself, and ends with what the ledger says.
 *
 * @throws `rollback_unfinished`, `settings_changed`, `finalized`, `proof_failed`.
 */
export async function migrate(context: StageContext, options: MigrateOptions): Promise<MigrationReport> {
  const { database, schema } = context;
  const state = await database.transaction((session) => beginAttempt(session, schema.settings, context.run.runId), {
    name: 'migrate: begin an attempt',
  });
  await takeHolds(context, options.holds);
  const before = state.stage;
  if (reached(before, 'harden') && !(context.assisted && reached(before, options.until)))
    await tidy(context, { before, until: options.until });
  for (const stage of STAGES.slice(0, STAGES.indexOf(options.until) + 1)) {
    if (reached(before, stage)) continue;
    context.emit({ kind: 'stage', stage });
    const started = performance.now();
    await RUN_STAGE[stage as MigrateOptions['until']](context, options);
    const seconds = (performance.now() - started) / 1000;
    await database.transaction(
      async (session) => {
        await moveTo(session, { stage }, { seconds });
        await recordEvent(session, { kind: 'stage_completed', runId: context.run.runId, facts: { stage, seconds } });
      },
      { name: 'migrate: complete a stage', afterStop: true },
    );
    context.emit({ kind: 'stage_done', stage, seconds });
  }
  return database.readOnly((session) => reportOf(session, context));
}

const RUN_STAGE: Record<MigrateOptions['until'], (context: StageContext, options: MigrateOptions) => Promise<unknown>> =
  {
    expand: async ({ ddl }) => ddl.up([...STEPS.expandForGood, ...STEPS.expand]),
    backfill,
    harden,
    // Statistics of the finished table: nobody reads it before, and the proof's own reading need not wait for them.
    verify: (context) => allDone([analyzeTarget(context), proveOrStop(context)]),
    switch: ({ database, schema }) =>
      database.transaction((session) => applySwitch(session, schema, { scope: { kind: 'all' }, back: false }), {
        name: 'migrate: switch all accounts',
      }),
  };

/**
 * Run again: what time or a person changed since is judged again, last use caught up, and all proven anew before any
 * switch. Rows that nobody accounts for are not mended on the quiet: that is what `--until backfill` is asked for.
 */
async function tidy(
  context: StageContext,
  { before, until }: { before: StageName | null; until: StageName },
): Promise<void> {
  await settleAgain(context);
  if (until === 'backfill') await settleUnaccounted(context);
  if (reached(before, 'verify') && until !== 'backfill') await proveOrStop(context);
}

/** The verify stage: the proof is kept in the ledger, and a difference stops the migration where it stands. */
export async function proveOrStop(context: StageContext): Promise<Proof> {
  const proof = await proveAndKeep(context, { runId: context.run.runId });
  if (!proof.ok) {
    throw keyliftError('proof_failed', {
      message: 'the proof found differences; no account was switched by this run',
      facts: { ...proof.keys, ...proof.authorization },
    });
  }
  return proof;
}

async function takeHolds({ database, schema, run }: StageContext, holds: Holds | undefined): Promise<void> {
  await database.transaction(
    async (session) => {
      const released = await releaseRolledBack(session);
      if (released > 0)
        await recordEvent(session, { kind: 'accounts_released', runId: run.runId, facts: { accounts: released } });
      if (holds === undefined) return;
      await storeHolds(session, schema, holds);
      await recordEvent(session, {
        kind: 'holds',
        runId: run.runId,
        facts: { keys: holds.keyIds.length, accounts: holds.accountIds.length },
      });
    },
    { name: 'migrate: take the holds' },
  );
}

/** Totals of the migration; `target` says whether the new table exists. */
export const migrationTotals = (l: LegacyFragments, { target }: { target: boolean }): string => sql`
  SELECT
    ${target ? `(SELECT count(*) FROM ${l.target} WHERE origin_api_id IS NOT NULL)` : '0'} AS moved,
    (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'merge') AS merged,
    (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'exception') AS exceptions,
    (SELECT count(*) FROM keylift.batches WHERE state = 'done' AND upto_id IS NOT NULL) AS batches`;

async function reportOf(session: ReadSession, { schema: { legacy: l } }: StageContext): Promise<MigrationReport> {
  const state = (await readState(session))!;
  const row = await session.one<Record<string, string>>(migrationTotals(l, { target: reached(state.stage, 'expand') }));
  return {
    stage: state.stage,
    moved: Number(row.moved),
    merged: Number(row.merged),
    exceptions: Number(row.exceptions),
    batches: Number(row.batches),
    seconds: Math.round(state.seconds * 1000) / 1000,
  };
}
