/** The package: the operations of the commands as functions. docs/package.md describes them. */
export { finalize, migrate, plan, repair, rollback, status, switchAccounts, verify } from './library/functions.js';
export { KeyliftError } from './errors/keylift-error.js';
export type { ErrorCode } from './errors/catalogue.js';
export type { SettingsInput as Configuration } from './config/settings.js';
export type {
  Accounts,
  CommonOptions,
  Connection,
  FinalizeOptions,
  MigrateOptions,
  PaceOptions,
  PlanOptions,
  ProgressEvent,
  RepairOptions,
  RollbackOptions,
  StatusOptions,
  SwitchOptions,
  VerifyOptions,
} from './library/options.js';
export type { PlanDocument } from './operations/plan.js';
export type { VerifyDocument } from './operations/verify.js';
export type { RepairReport } from './repair/repair.js';
export type { FinalizeReport } from './stages/finalize/finalize.js';
export type { MigrationReport } from './stages/migrate.js';
export type { RollbackReport } from './stages/rollback/rollback.js';
export type { SwitchReport } from './stages/switch/switch.js';
export type { Status } from './status/status.js';
