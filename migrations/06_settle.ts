import { installSettle, removeSettle } from '../src/mirror/install.js';
import { step } from './context.js';

/** Harden: the functions that settle keys. */
export const settle = step({ name: '06_settle', up: installSettle, down: removeSettle });
