import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv, type ErrorObject, type SchemaObject, type ValidateFunction } from 'ajv';
import { packageRoot } from '../config/package-root.js';
import { isBigint, isPostgresText, isTimestamptz } from './formats.js';
import { joinPath } from './json-text.js';

/** The two forms of `legacy.json`: rows of the default tables, or of the case's own tables. */
const SCHEMA_FILES = { default: 'schemas/fixture.schema.json', own: 'schemas/fixture-tables.schema.json' };

type Form = keyof typeof SCHEMA_FILES;

/** The message for each format in the schemas. */
const FORMAT_FAULTS: Record<string, string> = {
  bigint: 'not a bigint',
  timestamptz: 'not a timestamp (like 2024-03-31T02:30:00.123456+01:00, with a zone)',
  'pg-text': 'not a text PostgreSQL can store (no U+0000, no half of a surrogate pair)',
};

const compiled = new Map<Form, ValidateFunction>();

/** Checks the parsed `legacy.json` against its schema and returns every fault. */
export function validateLegacy(value: unknown, form: Form = 'default'): { path: string; message: string }[] {
  const validate = compiled.get(form) ?? compile(form);
  compiled.set(form, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => ({ path: placeOf(error, value), message: messageOf(error) }));
}

function compile(form: Form): ValidateFunction {
  const ajv = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true });
  ajv.addFormat('bigint', isBigint);
  ajv.addFormat('timestamptz', isTimestamptz);
  ajv.addFormat('pg-text', isPostgresText);
  return ajv.compile(JSON.parse(readFileSync(path.join(packageRoot(), SCHEMA_FILES[form]), 'utf8')) as SchemaObject);
}

function placeOf(error: ErrorObject, value: unknown): string {
  const place = readablePath(error.instancePath, value);
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  const field = params.missingProperty ?? params.additionalProperty;
  return field === undefined ? place : joinPath(place, field);
}

/** Turns `/keys/3/created_at` into `keys[3].created_at`. A number is an index only in an array. */
function readablePath(pointer: string, value: unknown): string {
  let place = '';
  let here = value;
  for (const step of pointer.split('/').slice(1).map(unescapeStep)) {
    place = joinPath(place, Array.isArray(here) ? Number(step) : step);
    here = (here as Record<string, unknown>)[step];
  }
  return place;
}

function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function messageOf({ keyword, params, parentSchema, message }: ErrorObject): string {
  const schema = parentSchema as { format?: string; type?: string | string[]; properties?: object } | undefined;
  switch (keyword) {
    case 'required':
      return 'missing';
    case 'additionalProperties':
      return `unknown field (known are ${Object.keys(schema?.properties ?? {}).join(', ')})`;
    case 'enum':
      return `not one of ${quotedList((params as { allowedValues: unknown[] }).allowedValues)}`;
    case 'minimum':
    case 'maximum':
      return 'a number beyond 2^53 loses digits in JSON: write it as a string';
    case 'minLength':
      return 'empty';
    case 'format':
    case 'type':
      return FORMAT_FAULTS[schema?.format ?? ''] ?? `not ${[schema?.type ?? []].flat().join(' or ')}`;
    default:
      return message ?? keyword;
  }
}

const quotedList = (values: readonly unknown[]): string => values.map((one) => JSON.stringify(one)).join(', ');
