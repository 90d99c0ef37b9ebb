import type { CommandDefinition } from '../definition.js';
import { check, init } from './setup.js';
import { demo, explain, plan, report, snapshot, status, verify } from './looking.js';
import { finalize, migrate, pause, resume, rollback, switchAccounts, tune } from './moving.js';

/** Every command, in the order in which an operator meets them. */
export const COMMANDS: readonly CommandDefinition[] = [
  demo, init, check, plan, migrate, verify, switchAccounts, rollback, finalize, status, pause, resume, tune, report, explain, snapshot,
];
