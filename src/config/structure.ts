import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { didYouMean } from './did-you-mean.js';
import { packageRoot } from './package-root.js';

/** A fault of one configuration key. */
export interface Fault {
  path: readonly (string | number)[];
  reason: string;
}

/** Every fault of a parsed file against its schema: unknown keys, wrong types, empty texts. */
export function faultsOfStructure(value: unknown, schemaFile = 'config.schema.json'): Fault[] {
  const schema = JSON.parse(readFileSync(path.join(packageRoot(), 'schemas', schemaFile), 'utf8')) as object;
  const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true });
  const validate = ajv.compile(schema);
  return validate(value) ? [] : (validate.errors ?? []).map(faultOf);
}

function faultOf(error: ErrorObject): Fault {
  const at = readPointer(error.instancePath);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties':
      return {
        path: [...at, String(params.additionalProperty)],
        reason: unknownKey(String(params.additionalProperty), error),
      };
    case 'required':
      return { path: [...at, String(params.missingProperty)], reason: 'missing' };
    case 'type':
      return { path: at, reason: `must be ${typesOf(error)}, not ${kindOf(error.data)}` };
    case 'minLength':
      return { path: at, reason: 'must not be empty' };
    default:
      return { path: at, reason: error.message ?? error.keyword };
  }
}

function unknownKey(key: string, { parentSchema }: ErrorObject): string {
  const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {});
  const meant = didYouMean(key, known);
  if (meant !== undefined) return `unknown key, did you mean ${JSON.stringify(meant)}?`;
  return `unknown key, known are ${known.filter((name) => name !== '$schema').join(', ')}`;
}

const WORDS: Record<string, string> = { string: 'text', object: 'an object', array: 'a list', null: 'null' };

function typesOf({ params, parentSchema }: ErrorObject): string {
  const types = [(params as { type: string | string[] }).type].flat();
  const properties = (parentSchema as { properties?: object } | undefined)?.properties;
  const isExpression = properties !== undefined && 'sql' in properties;
  const words = types.map((type) => (isExpression && type === 'object' ? '{"sql": "…"}' : (WORDS[type] ?? type)));
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `${typeof value === 'string' ? 'text' : `the ${typeof value}`} ${JSON.stringify(value).slice(0, 60)}`;
}

function readPointer(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
      return /^\d+$/.test(key) ? Number(key) : key;
    });
}
