import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import type { ExitCode } from '../../src/errors/exit-codes.js';
import { keylift } from '../cli/harness.js';

/** Commands whose answer under --json has a schema, by the schema's file name. */
export const ANSWERS = [
  'plan',
  'migrate',
  'verify',
  'status',
  'history',
  'switch',
  'repair',
  'rollback',
  'finalize',
  'uninstall',
  'steering',
  'completion',
  'init',
  'check',
  'snapshot-check',
  'error',
] as const;
export type Answer = (typeof ANSWERS)[number];

const ajv = new Ajv({ strict: true, allErrors: true });
const compiled = new Map<Answer, ValidateFunction>();

/** The schema as shipped, compiled in ajv's strict mode. */
export function schemaOf(answer: Answer): ValidateFunction {
  const file = path.join(packageRoot(), 'schemas', `${answer}.schema.json`);
  const validate = compiled.get(answer) ?? ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as object);
  compiled.set(answer, validate);
  return validate;
}

/** Runs a command line with --json, holds its stdout against the schema, and returns the document. */
export async function answerOf(
  line: string,
  { url, schema, exitCode }: { url: string; schema: Answer; exitCode: ExitCode },
): Promise<Record<string, unknown>> {
  const outcome = await keylift(`${line} --json`, { env: { DATABASE_URL: url } });
  expect(outcome.exitCode, outcome.stderr).to.equal(exitCode);
  const document = JSON.parse(outcome.stdout) as Record<string, unknown>;
  const validate = schemaOf(schema);
  expect(validate(document), JSON.stringify(validate.errors)).to.equal(true);
  return document;
}
