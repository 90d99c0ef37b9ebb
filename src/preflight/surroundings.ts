import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Finding, GateName, Phase } from '../surroundings/finding.js';
import { foreignApis } from '../surroundings/foreign-apis.js';
import { findingsOf } from '../surroundings/findings.js';
import { readSurroundings } from '../surroundings/read.js';
import { referencesOfOtherShapes, type DeletingStage, type Reference } from '../surroundings/references.js';
import type { Gate, Refusal } from './gate.js';
import { refuse } from './refuse.js';

/** Findings that a gate before the first write names already, by a look of its own. */
const ASKED_BEFORE = new Set<GateName | null>(['row_security', 'standby']);

/** `--triggers` decides about them; the stages look under the lock of each page. */
const DECIDED_BY_OPERATOR = new Set<GateName | null>(['delete_triggers', 'insert_triggers']);

const refusalOf = ({ gate, object, fact, meets, way_out: wayOut }: Finding): Refusal => ({
  gate: gate!,
  problem: `${object} (${fact}): ${meets}`,
  wayOut: wayOut!,
});

/** What refuses a phase, of the findings that no other gate names. */
export const refusalsOf = (findings: readonly Finding[], phase: Phase): Refusal[] =>
  findings
    .filter(({ severity, phases, gate }) => severity === 'gate' && phases.includes(phase) && !ASKED_BEFORE.has(gate))
    .map(refusalOf);

/** Before the first write: what meets the tables and cannot go with a migration. */
export const surroundings: Gate = async ({ session, schema: { settings } }) =>
  refusalsOf(findingsOf(await readSurroundings(session, settings), settings), 'expand');

/** Before the first write: would account keys open APIs of other accounts? */
export const scope: Gate = async ({ session, schema }) => refusalsOf(await foreignApis(session, schema), 'expand');

/**
 * The same before a switch, which widens what keys open: projects and keys came since expand.
 *
 * @throws `preflight`, which names the gate and the way out.
 */
export async function scopeGate(session: ReadSession, schema: MappedSchema): Promise<void> {
  refuse(refusalsOf(await foreignApis(session, schema), 'switch'), 'switch');
}

/**
 * Before a stage that deletes or restores rows: what meets these rows now, which may have changed since expand.
 *
 * @throws `preflight`, which names each gate and the way out.
 */
export async function surroundingsGate(
  session: ReadSession,
  schema: MappedSchema,
  stage: DeletingStage,
): Promise<void> {
  const { settings } = schema;
  const around = await readSurroundings(session, settings);
  const gates = findingsOf(around, settings).filter(
    ({ severity, phases, gate }) => severity === 'gate' && phases.includes(stage) && !DECIDED_BY_OPERATOR.has(gate),
  );
  const references = await referencesOfOtherShapes(session, { schema, around, stage });
  refuse([...gates.map(refusalOf), ...references.map(toReference(stage))], stage);
}

const toReference =
  (stage: DeletingStage) =>
  ({ object, shape }: Reference): Refusal => ({
    gate: 'references',
    problem: `rows reference keys that ${stage} deletes, by ${object} ${shape}`,
    wayOut: 'point these rows at the other table, or drop the foreign key',
  });
