import { addConstraints, dropConstraints, validateConstraints } from '../src/mapping/constraints.js';
import { dropAccountIdTrigger } from '../src/mirror/account-ids.js';
import { step } from './context.js';

/** Harden: constraints NOT VALID. */
export const constraints = step({
  name: '10_constraints',
  up: (schema) => [addConstraints(schema), ...dropAccountIdTrigger(schema)],
  down: (schema) => [dropConstraints(schema)],
});

/** Harden: validation. It has no way back: dropping the constraints takes it along. */
export const validation = step({ name: '11_validation', up: validateConstraints, down: () => [] });
