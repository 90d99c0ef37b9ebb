import type { WriteSession } from '../database/session.js';

/** Adds to the audit trail: who did what when. `facts` never hold a token or a password. */
export async function recordEvent(
  session: WriteSession,
  event: { kind: string; runId?: string; facts?: Record<string, unknown> },
): Promise<void> {
  await session.query('INSERT INTO keylift.events (run_id, kind, facts) VALUES ($1, $2, $3)', [
    event.runId ?? null,
    event.kind,
    JSON.stringify(event.facts ?? {}),
  ]);
}
