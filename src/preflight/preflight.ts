import type { GateWorld, Refusal } from './gate.js';
import { GATES } from './gates.js';
import { refuse } from './refuse.js';

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
  refuse(await askGates(world));
}
