import path from 'node:path';
import { packageRoot } from '../config/package-root.js';
import { openDatabase, type OpenAt } from '../database/connect.js';
import { readFixture } from '../cases/fixture.js';
import { withMove } from '../cases/move.js';
import { loadFixture } from '../cases/run.js';
import type { RunListener } from '../run/events.js';
import {
  CAST,
  tellAfter,
  tellBefore,
  tellGrowth,
  tellMove,
  tellPlan,
  tellProof,
  tellWayBack,
  type Teller,
} from './chapters.js';
import { judge, type Answers } from './checks.js';
import { storyDocument, type StoryDocument } from './document.js';
import { chapter, checkList } from './text.js';

/** The demo's data, a fixture case like the others. */
export const DEMO_CASE = path.join(packageRoot(), 'fixtures/demo');

export interface StoryOptions {
  /** An empty database, used up by the story. */
  url: string;
  /** Opens a database that the caller can cancel. */
  open?: OpenAt;
  /** Takes the story's text as it happens. */
  tell: (text: string) => void;
  stop: AbortSignal;
}

/** Tells the whole story on a real database: every number and every door is asked at the moment it is told. */
export async function tellStory({ url, open, tell, stop }: StoryOptions): Promise<StoryDocument> {
  await load(url);
  const say = (text: string): void => {
    stop.throwIfAborted();
    tell(text);
  };
  return withMove({ url, open, stop, listeners: [stagesTo(say)] }, (move) => tellChapters({ move, say }));
}

async function tellChapters(teller: Teller): Promise<StoryDocument> {
  const before = await tellBefore(teller);
  const { plan, rows } = await tellPlan(teller);
  const { migrate, stages } = await tellMove(teller);
  const after = await tellAfter(teller, before.doors);
  const proof = await tellProof(teller);
  const grown = await tellGrowth(teller, before.doors);
  const rolledBack = await tellWayBack(teller);
  const answers: Answers = { before, plan, rows, after, proof, grown, rolledBack };
  const checks = judge(answers, CAST);
  teller.say(`${chapter('What was checked on the way')}${checkList(checks)}`);
  return storyDocument({ answers, migrate, stages, checks });
}

async function load(url: string): Promise<void> {
  const { rows } = await readFixture(DEMO_CASE);
  const database = await openDatabase(url, { maxConnections: 1 });
  try {
    await loadFixture(database, rows);
    // The shipped dates are fixed; a living platform has keys that were used today.
    await database.transaction(
      (session) =>
        session.query(
          `UPDATE public.api_keys SET last_used_at = now() - CASE id WHEN 11 THEN interval '3 minutes' ELSE interval '2 hours' END WHERE id IN (11, 12)`,
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
  harden: 'indexes and constraints, built beside live traffic',
  verify: 'the proof, before anybody is switched',
  switch: 'accounts are answered from Settings from here on',
  rollback: 'every account back on its per-API keys',
};

const stagesTo =
  (say: (text: string) => void): RunListener =>
  (event) => {
    if (event.kind === 'stage') say(`  ${event.stage.padEnd(9)} ${STAGES[event.stage] ?? ''}\n`);
  };
