import type { ReadSession } from './session.js';

/** Of another role's session a role without pg_read_all_stats sees the name alone: the rest is NULL. The server's own have no user. */
const HIDDEN = `
  SELECT count(*) AS sessions FROM pg_catalog.pg_stat_activity
  WHERE datname = current_database() AND backend_type IS NULL AND usesysid IS NOT NULL`;

/** How many sessions of this database are at work, or idle, or in a transaction for hours, and do not show it to this role. */
export async function hiddenSessions(session: ReadSession): Promise<number> {
  return Number((await session.one<{ sessions: string }>(HIDDEN)).sessions);
}

/** What follows from hidden sessions, and what to do about it. */
export const hiddenText = (sessions: number): string =>
  `${sessions === 1 ? 'one session of another role does' : `${String(sessions)} sessions of other roles do`} not show this role what they are doing: ` +
  'no gate sees their long transactions, and no run waits for autovacuum; GRANT pg_read_all_stats to it (runbook.md#roles)';
