import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import type { Probe } from '../../src/proof/probe/document.js';
import type { Replay } from '../../src/proof/replay/document.js';
import type { Scenario } from '../support/scenario.js';

const schema = JSON.parse(readFileSync(path.join(packageRoot(), 'schemas', 'verify.schema.json'), 'utf8')) as object;
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);

/** The answer to `verify --json` with evidence from outside the tables. */
export interface Evidence {
  ok: boolean;
  unproven?: string;
  keys: Record<string, number>;
  replay: Replay;
  probe: Probe;
}

/** Runs `verify` with these flags and holds its answer against the schema. */
export async function verified(
  scenario: Scenario,
  flags: readonly string[],
  ...codes: readonly number[]
): Promise<Evidence> {
  const ended = await scenario.run(['verify', ...flags, '--json']);
  expect(codes.length === 0 ? [0] : codes, `${ended.stdout}${ended.stderr}`).to.include(ended.exitCode);
  return checkVerification(ended.json<Evidence>());
}

/** The answer, held against its schema. */
export function checkVerification(answer: Evidence): Evidence {
  expect(validate(answer), JSON.stringify(validate.errors)).to.equal(true);
  return answer;
}

/** A recorded decision as its line has it. */
export type Recorded = { api: string; allowed: boolean } & ({ token: string } | { key_id: string | number });

export const ndjson = (decisions: readonly unknown[]): string =>
  decisions.map((decision) => `${JSON.stringify(decision)}\n`).join('');

/** Replays these decisions, or this text, and returns what came of it. */
export async function replayed(
  scenario: Scenario,
  recorded: readonly Recorded[] | string,
  options: { codes?: number[]; flags?: string[] } = {},
): Promise<Replay> {
  const file = await scenario.file('decisions.ndjson', typeof recorded === 'string' ? recorded : ndjson(recorded));
  return (await verified(scenario, ['--replay', file, ...(options.flags ?? [])], ...(options.codes ?? [0]))).replay;
}

/** Decisions by kind; what is the same is not among them. */
export const byKind = ({ kinds }: Replay): Record<string, number> =>
  Object.fromEntries(kinds.map(({ kind, decisions }) => [kind, decisions]));
