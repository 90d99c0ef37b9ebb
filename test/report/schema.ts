import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { packageRoot } from '../../src/config/package-root.js';

/**
 * A shipped schema, compiled in ajv's strict mode; `[string, null]` is how they all say that something may be missing.
 */
export const schemaAt = (name: string): ValidateFunction =>
  new Ajv({ strict: true, allowUnionTypes: true, allErrors: true }).compile(
    JSON.parse(readFileSync(path.join(packageRoot(), 'schemas', `${name}.schema.json`), 'utf8')) as object,
  );
