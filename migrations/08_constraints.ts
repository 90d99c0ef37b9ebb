import { parseTableName } from '../src/config/identifiers.js';
import { derivedName } from '../src/mapping/copy.js';
import { notEmpty } from '../src/mapping/fragments.js';
import { execute, type Migration, type MigrationContext } from './context.js';

/** Constraint names and definitions of the new table. */
export function constraintsOf({
  legacy: l,
  settings,
  types,
}: MigrationContext): { name: string; definition: string }[] {
  const { name } = parseTableName(settings.target.table);
  const accountId = l.accountId('');
  return [
    {
      name: derivedName(name, 'account_id_fkey'),
      // An account that is deleted takes its account keys along, as nothing else could answer for them.
      definition: `FOREIGN KEY (account_id) REFERENCES ${l.accounts} (${accountId}) ON DELETE CASCADE`,
    },
    { name: derivedName(name, 'scope_check'), definition: `CHECK (scope = 'store_apis')` },
    { name: derivedName(name, 'token_check'), definition: `CHECK (${notEmpty('token', types.token)})` },
  ];
}

/** Harden: constraints NOT VALID, so that the lock is held for an instant; new rows obey from here on. */
export const constraints: Migration = {
  name: '08_constraints',

  async up(knex, context) {
    const parts = constraintsOf(context).map((c) => `ADD CONSTRAINT ${c.name} ${c.definition} NOT VALID`);
    await execute(knex, `ALTER TABLE ${context.legacy.target} ${parts.join(', ')}`);
  },

  async down(knex, context) {
    const parts = constraintsOf(context).map((c) => `DROP CONSTRAINT IF EXISTS ${c.name}`);
    await execute(knex, `ALTER TABLE ${context.legacy.target} ${parts.join(', ')}`);
  },
};

/** Harden: validation reads the table under a lock that lets everybody read and write. */
export const validation: Migration = {
  name: '09_validation',

  async up(knex, context) {
    const [foreignKey, ...checks] = constraintsOf(context);
    // One command validates all checks in one scan; the foreign key is one join.
    await execute(
      knex,
      `ALTER TABLE ${context.legacy.target} ${checks.map((c) => `VALIDATE CONSTRAINT ${c.name}`).join(', ')}`,
    );
    await execute(knex, `ALTER TABLE ${context.legacy.target} VALIDATE CONSTRAINT ${foreignKey!.name}`);
  },

  async down() {
    // A constraint cannot be made unproven again; 08 takes it away.
  },
};
