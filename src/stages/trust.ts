import { keyliftError } from '../errors/keylift-error.js';
import { recordEvent } from '../ledger/events.js';
import { readInstalled } from '../ledger/installed.js';
import { mirrorOff, readMirror, type MirrorState } from '../ledger/mirror-look.js';
import type { StageContext } from '../run/context.js';
import { sql } from '../database/sql.js';

type Context = Pick<StageContext, 'database' | 'schema' | 'run'>;

/** Event of the ledger: a command found that changes of one table do not all reach the other. */
const FOUND = 'mirror_off';

/** The latest proof of this attempt, and whether a command found the mirror off since then. */
const LAST_PROOF = sql`
  /* reading the last proof */
  SELECT p.ok, p.proven_at::text AS proven_at,
    EXISTS (SELECT FROM keylift.events e WHERE e.kind = '${FOUND}' AND e.happened_at >= p.proven_at) AS found_since
  FROM keylift.proofs p
  WHERE p.attempt = (SELECT m.attempt FROM keylift.migration m)
  ORDER BY p.proof_no DESC
  LIMIT 1`;

interface LastProof {
  ok: boolean;
  proven_at: string;
  found_since: boolean;
}

/**
 * Refuses to go on while changes of one table do not all reach the other, and records an event: changes may be lost, so
 * an older proof does not count any more.
 *
 * @throws `mirror_off`
 */
export async function requireMirror({ database, schema, run }: Context): Promise<void> {
  const mirror = await database.readOnly(async (session) =>
    readMirror(session, schema, await readInstalled(session, schema.settings)),
  );
  if (mirror === null || mirror.ok) return;
  await noteMirrorOff({ database, run }, mirror);
  throw mirrorOff(mirror);
}

const noteMirrorOff = async (
  { database, run }: Pick<Context, 'database' | 'run'>,
  { faults }: MirrorState,
): Promise<void> =>
  database.transaction((session) => recordEvent(session, { kind: FOUND, runId: run.runId, facts: { faults } }), {
    name: 'record that the mirror is off',
  });

/**
 * Refuses to widen anything until a proof has passed after the last difference that was found.
 *
 * @throws `proof_needed`
 */
export async function requirePassedProof({ database }: Pick<Context, 'database'>): Promise<void> {
  const last = await database.readOnly((session) => session.first<LastProof>(LAST_PROOF));
  if (last?.ok === true && !last.found_since) return;
  throw keyliftError('proof_needed', {
    message:
      last === undefined
        ? 'there is no proof of this migration yet'
        : last.ok
          ? 'the mirror was off since the last proof, so changes may be missing'
          : 'the last proof found differences',
    facts: { proven_at: last?.proven_at },
  });
}
