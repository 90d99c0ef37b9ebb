import { keyliftError } from '../errors/keylift-error.js';
import type { DeletingStage } from '../surroundings/references.js';
import type { Refusal } from './gate.js';

/**
 * Refuses a command with all that stands in its way, at once. Without a refusal it does nothing.
 *
 * @param stage the stage that the gates refuse; without it, the first write
 * @throws `preflight`, which names each gate and the way out.
 */
export function refuse(refusals: readonly Refusal[], stage?: DeletingStage | 'switch'): void {
  if (refusals.length === 0) return;
  throw keyliftError('preflight', {
    message: `preflight${stage === undefined ? '' : ` of ${stage}`} refuses: ${refusals.map((r) => r.problem).join('; ')}`,
    facts: { gates: refusals.map((r) => `${r.gate}: ${r.problem}; ${r.wayOut}`) },
    section: `gate-${refusals[0]!.gate.replaceAll('_', '-')}`,
  });
}
