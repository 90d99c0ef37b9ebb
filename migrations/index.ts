import type { Knex } from 'knex';
import { ledger } from './01_ledger.js';
import { accountKeys } from './02_account_keys.js';
import { resolver } from './03_resolver.js';
import { legacyTokenIndex } from './04_legacy_token_index.js';
import { changeLog } from './05_change_log.js';
import { settle } from './06_settle.js';
import { indexes } from './07_indexes.js';
import { primaryKey } from './08_primary_key.js';
import { mirror } from './09_mirror.js';
import { constraints, validation } from './10_constraints.js';
import { switchable } from './12_switchable.js';
import { archive } from './13_archive.js';
import { mirrorOff } from './14_mirror_off.js';
import type { Migration, MigrationContext } from './context.js';

/** Steps by stage, in the order they are run. What rollback leaves in place is `expandForGood`. */
export const STEPS = {
  expandForGood: [ledger, accountKeys, resolver],
  expand: [legacyTokenIndex, changeLog],
  harden: [settle, indexes, primaryKey, mirror, constraints, validation, switchable],
  finalize: [archive, mirrorOff],
} as const satisfies Record<string, readonly Migration[]>;

export const ALL_STEPS: readonly Migration[] = [
  ...STEPS.expandForGood,
  ...STEPS.expand,
  ...STEPS.harden,
  ...STEPS.finalize,
];

/** Knex's own bookkeeping, in keylift's schema and apart from the application's. */
export const MIGRATION_TABLES = { tableName: 'knex_migrations', schemaName: 'keylift' } as const;

/**
 * Hands the steps to Knex with the operator's schema bound in. Names carry no file extension, so that the
 * compiled and the TypeScript tree are the same migrations.
 */
export function migrationSource(
  context: () => Promise<MigrationContext>,
  steps: readonly Migration[] = ALL_STEPS,
): Knex.MigrationSource<Migration> {
  return {
    getMigrations: () => Promise.resolve([...steps]),
    getMigrationName: (step) => step.name,
    getMigration: (step) =>
      Promise.resolve({
        up: async (knex: Knex) => step.up(knex, await context()),
        down: async (knex: Knex) => step.down(knex, await context()),
        config: { transaction: step.transaction ?? true },
      }),
  };
}
