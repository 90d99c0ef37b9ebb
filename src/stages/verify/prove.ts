import type { Proof } from '../../proof/document.js';
import { prove } from '../../proof/verify.js';
import type { StageContext } from '../../run/context.js';
import { catchUpChunk } from '../last-use.js';

/**
 * Proves, brings `last_used_at` to the later of both tables where they differ, and keeps the proof in the ledger.
 *
 * @param runId null for a proof outside of a run
 */
export async function proveAndKeep(
  { database, schema: mapped, stop, emit }: Pick<StageContext, 'database' | 'schema' | 'stop' | 'emit'>,
  { runId }: { runId: string | null },
): Promise<Proof> {
  const proof = await prove(database, mapped, {
    stop,
    onProgress: (keys) => {
      emit({ kind: 'progress', keys });
    },
    onLag: (chunk, schema) => catchUpChunk(database, mapped, { chunk, schema }),
  });
  await database.transaction((session) => session.query(KEEP_PROOF, [runId, proof.ok, JSON.stringify(proof)]), {
    name: 'verify: keep the proof',
    afterStop: true,
  });
  return proof;
}

const KEEP_PROOF = `
  INSERT INTO keylift.proofs (run_id, attempt, ok, document)
  VALUES ($1, (SELECT attempt FROM keylift.migration), $2, $3)`;
