import { keyliftError } from '../errors/keylift-error.js';
import type { GateWorld, Refusal } from './gate.js';
import { GATES } from './gates.js';

/** Asks every gate. Empty: nothing stands in the way. */
export async function askGates(world: GateWorld): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const gate of GATES) refusals.push(...(await gate(world)));
  return refusals;
}

/**
 * Before anything is written: all that stands in the way, at once.
 *
 * @throws `preflight`, which names each gate and the way out.
 */
export async function preflight(world: GateWorld): Promise<void> {
  const refusals = await askGates(world);
  if (refusals.length === 0) return;
  throw keyliftError('preflight', {
    message: `preflight refuses: ${refusals.map((r) => r.problem).join('; ')}`,
    facts: { gates: refusals.map((r) => `${r.gate}: ${r.problem}; ${r.wayOut}`) },
    section: `gate-${refusals[0]!.gate.replaceAll('_', '-')}`,
  });
}
