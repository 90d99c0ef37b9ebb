import path from 'node:path';
import { packageRoot } from '../config/package-root.js';
import { openDatabase, type OpenAt } from '../database/connect.js';
import { readFixture } from '../cases/fixture.js';
import { withMove } from '../cases/move.js';
import { loadFixture } from '../cases/run.js';
import type { RunListener } from '../run/events.js';
import {
  CAST,
  showAfter,
  showBefore,
  showGrowth,
  showMove,
  showPlan,
  showProof,
  showWayBack,
  type DemoContext,
} from './chapters.js';
import { checkAnswers, type Answers } from './checks.js';
import { demoDocument, type DemoDocument } from './document.js';
import { chapter, checkList } from './text.js';

/** The demo's data, a fixture case like the others. */
export const DEMO_CASE = path.join(packageRoot(), 'fixtures/demo');

export interface DemoOptions {
  /** An empty database; the demo leaves its tables there. */
  url: string;
  /** Opens a database that the caller can cancel. */
  open?: OpenAt;
  /** Takes the text of the demo as it happens. */
  write: (text: string) => void;
  stop: AbortSignal;
}

/** Runs the whole example on a real database, and reads every number that it shows at that moment. */
export async function runDemo({ url, open, write, stop }: DemoOptions): Promise<DemoDocument> {
  await load(url);
  const say = (text: string): void => {
    stop.throwIfAborted();
    write(text);
  };
  return withMove({ url, open, stop, listeners: [stagesTo(say)] }, (move) => showChapters({ move, say }));
}

async function showChapters(context: DemoContext): Promise<DemoDocument> {
  const before = await showBefore(context);
  const { plan, rows } = await showPlan(context);
  const { migrate, stages } = await showMove(context);
  const after = await showAfter(context, before.access);
  const proof = await showProof(context);
  const grown = await showGrowth(context, before.access);
  const rolledBack = await showWayBack(context);
  const answers: Answers = { before, plan, rows, after, proof, grown, rolledBack };
  const checks = checkAnswers(answers, CAST);
  context.say(`${chapter('What was checked on the way')}${checkList(checks)}`);
  return demoDocument({ answers, migrate, stages, checks });
}

async function load(url: string): Promise<void> {
  const { rows } = await readFixture(DEMO_CASE);
  const database = await openDatabase(url, { maxConnections: 1 });
  try {
    await loadFixture(database, rows);
    // The shipped dates are fixed; on a real platform some keys were used today.
    await database.transaction(
      (session) =>
        session.query(
          `UPDATE public.api_keys
           SET last_used_at = now() - CASE id WHEN 11 THEN interval '3 minutes' ELSE interval '2 hours' END
           WHERE id IN (11, 12)`,
        ),
      { name: 'demo: set the last use' },
    );
  } finally {
    await database.close();
  }
}

const STAGES: Record<string, string> = {
  expand: 'the ledger, the new table, the mirror, the resolver',
  backfill: 'keys are copied in batches',
  harden: 'indexes and constraints, built during live traffic',
  verify: 'the proof, before any account is switched',
  switch: 'accounts are answered from Settings from here on',
  rollback: 'every account back on its per-API keys',
};

const stagesTo =
  (say: (text: string) => void): RunListener =>
  (event) => {
    if (event.kind === 'stage') say(`  ${event.stage.padEnd(9)} ${STAGES[event.stage] ?? ''}\n`);
  };
