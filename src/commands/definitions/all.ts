import type { CommandDefinition } from '../definition.js';
import type { Group } from '../overview.js';
import { historyCommand, pauseCommand, reportCommand, resumeCommand, statusCommand, tuneCommand } from './control.js';
import {
  finalizeCommand,
  migrateCommand,
  repairCommand,
  rollbackCommand,
  switchCommand,
  verifyCommand,
} from './migrate.js';
import { checkCommand, demoCommand, explainCommand, initCommand, planCommand } from './prepare.js';
import { completionCommand, snapshotCommand } from './tools.js';
import { uninstallCommand } from './uninstall.js';

/** Every command in the order of the operator's path. */
export const GROUPS: readonly Group[] = [
  { title: 'Prepare', commands: [demoCommand, initCommand, checkCommand, planCommand, explainCommand] },
  { title: 'Migrate', commands: [migrateCommand, verifyCommand, repairCommand, switchCommand, rollbackCommand] },
  { title: 'Control', commands: [statusCommand, historyCommand, pauseCommand, resumeCommand, tuneCommand] },
  { title: 'After', commands: [reportCommand, finalizeCommand, uninstallCommand] },
  { title: 'Your CI', commands: [snapshotCommand] },
  { title: 'Shell', commands: [completionCommand] },
];

/** Every command, in that order. */
export const COMMANDS: readonly CommandDefinition[] = GROUPS.flatMap(({ commands }) => commands);
