import { sql } from '../../database/sql.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import type { StageContext } from '../../run/context.js';

/** Entries that one transaction applies. */
const PAGE_ENTRIES = 2_000;
/** Entries that may be left for the step that takes the lock: it applies them while the platform's writers wait. */
export const FEW_ENTRIES = 500;
const MOST_ROUNDS = 20;

/** Counts the entries. */
export const COUNT_ENTRIES = 'SELECT count(*) AS entries FROM keylift.change_log';

/** Applies at most $1 entries. */
export const APPLY_PAGE = sql`
  /* harden: apply a page of the change log */
  SELECT keylift.apply_change_log($1) AS entries`;

/**
 * Applies the change log in rounds, until few entries are left. A round takes what was there when it began. Each key is
 * brought in line with its row as it is now, so order and repetition do not matter, and no row is locked.
 *
 * @throws `change_log_grows` when the platform writes faster than the log is applied.
 */
export async function applyChangeLog(context: StageContext): Promise<void> {
  for (let round = 1; ; round += 1) {
    const entries = await count(context);
    if (entries <= FEW_ENTRIES) return;
    if (round > MOST_ROUNDS) throw changeLogGrows({ entries });
    context.emit({ kind: 'step', text: `round ${String(round)} of the change log`, rows: entries });
    await applyEntries(context, entries);
  }
}

async function applyEntries(context: StageContext, entries: number): Promise<void> {
  for (let applied = 0; applied < entries;) {
    const page = await applyPage(context);
    if (page === 0) return;
    applied += page;
  }
}

async function applyPage({ database }: StageContext): Promise<number> {
  return database.transaction(
    async (session) => Number((await session.one<{ entries: string }>(APPLY_PAGE, [PAGE_ENTRIES])).entries),
    { name: 'harden: apply a page of the change log', retry: 'underLoad', asynchronousCommit: true },
  );
}

async function count({ database }: StageContext): Promise<number> {
  return Number((await database.readOnly((s) => s.one<{ entries: string }>(COUNT_ENTRIES))).entries);
}

/** The platform changes keys faster than they are settled. */
export const changeLogGrows = ({ entries, cause }: { entries?: number; cause?: unknown }): KeyliftError =>
  keyliftError('change_log_grows', {
    message: `the platform changes keys faster than keylift applies the change log; it gave up after ${String(MOST_ROUNDS)} rounds`,
    facts: { entries },
    cause,
  });
