import { addPrimaryKey, dropPrimaryKey } from '../src/mapping/account-keys.js';
import { step } from './context.js';

/** Harden: the primary key, from its index. */
export const primaryKey = step({ name: '08_primary_key', up: addPrimaryKey, down: dropPrimaryKey });
