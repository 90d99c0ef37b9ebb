import { bind, type Command } from './command.js';
import {
  historyCommand,
  pauseCommand,
  reportCommand,
  resumeCommand,
  statusCommand,
  tuneCommand,
} from './definitions/control.js';
import {
  finalizeCommand,
  migrateCommand,
  repairCommand,
  rollbackCommand,
  switchCommand,
  verifyCommand,
} from './definitions/migrate.js';
import { checkCommand, demoCommand, explainCommand, initCommand, planCommand } from './definitions/prepare.js';
import { completionCommand, snapshotCommand } from './definitions/tools.js';
import { uninstallCommand } from './definitions/uninstall.js';

/** Every definition with its module. */
export const RUNNABLE: readonly Command[] = [
  bind(demoCommand, () => import('./demo.js')),
  bind(initCommand, () => import('./init.js')),
  bind(checkCommand, () => import('./check.js')),
  bind(planCommand, () => import('./plan.js')),
  bind(explainCommand, () => import('./explain.js')),
  bind(migrateCommand, () => import('./migrate.js')),
  bind(verifyCommand, () => import('./verify.js')),
  bind(repairCommand, () => import('./repair.js')),
  bind(switchCommand, () => import('./switch.js')),
  bind(rollbackCommand, () => import('./rollback.js')),
  bind(statusCommand, () => import('./status.js')),
  bind(historyCommand, () => import('./history.js')),
  bind(pauseCommand, () => import('./pause.js')),
  bind(resumeCommand, () => import('./resume.js')),
  bind(tuneCommand, () => import('./tune.js')),
  bind(reportCommand, () => import('./report.js')),
  bind(finalizeCommand, () => import('./finalize.js')),
  bind(uninstallCommand, () => import('./uninstall.js')),
  bind(snapshotCommand, () => import('./snapshot.js')),
  bind(completionCommand, () => import('./completion.js')),
];
