import { parseTableName } from '../config/identifiers.js';
import { sql, type Statement } from '../database/sql.js';
import { derivedName } from './copy.js';
import { notEmpty } from './fragments.js';
import type { ReferentialAction } from './account-foreign-key.js';
import type { MappedSchema } from './inspect.js';

interface Constraint {
  name: string;
  definition: string;
}

/**
 * Account keys follow their account as the legacy rows do. Where these have no foreign key, or would lose their account,
 * nothing could answer for the account key: an account that is deleted takes it along, and one that changes its id too.
 */
function foreignKeyOf({ legacy: l, settings, accountForeignKey: own }: MappedSchema): Constraint {
  const action = (as: ReferentialAction | undefined): string =>
    as === 'NO ACTION' || as === 'RESTRICT' ? as : 'CASCADE';
  return {
    name: derivedName(parseTableName(settings.target.table).name, 'account_id_fkey'),
    definition: [
      `FOREIGN KEY (account_id) REFERENCES ${l.accounts} (${l.accountId('')})`,
      `ON UPDATE ${action(own?.onUpdate)} ON DELETE ${action(own?.onDelete)} ${own?.deferrable ?? ''}`.trim(),
    ].join(' '),
  };
}

function checksOf({ settings, types }: MappedSchema): Constraint[] {
  const { name } = parseTableName(settings.target.table);
  return [
    { name: derivedName(name, 'scope_check'), definition: `CHECK (scope = 'store_apis')` },
    { name: derivedName(name, 'token_check'), definition: `CHECK (${notEmpty('token', types.token)})` },
  ];
}

const alterTarget = ({ legacy: l }: MappedSchema, actions: readonly string[]): string => sql`
  ALTER TABLE ${l.target}
    ${actions.join(',\n')};`;

/** NOT VALID, so that the lock is held for an instant; new rows obey from then on. */
export function addConstraints(schema: MappedSchema): Statement {
  const all = [foreignKeyOf(schema), ...checksOf(schema)];
  return {
    title: `constraints of ${schema.legacy.target}, not validated yet`,
    text: alterTarget(
      schema,
      all.map((c) => `ADD CONSTRAINT ${c.name}\n  ${c.definition} NOT VALID`),
    ),
  };
}

export function dropConstraints(schema: MappedSchema): Statement {
  const all = [foreignKeyOf(schema), ...checksOf(schema)];
  return {
    title: `drop the constraints of ${schema.legacy.target}`,
    text: alterTarget(
      schema,
      all.map((c) => `DROP CONSTRAINT IF EXISTS ${c.name}`),
    ),
  };
}

/** Reads the table under a lock that lets others read and write: all checks in one scan, the foreign key in one join. */
export const validateConstraints = (schema: MappedSchema): Statement[] => [
  {
    title: `validate the checks of ${schema.legacy.target}`,
    text: alterTarget(
      schema,
      checksOf(schema).map((c) => `VALIDATE CONSTRAINT ${c.name}`),
    ),
  },
  {
    title: `validate the foreign key of ${schema.legacy.target}`,
    text: alterTarget(schema, [`VALIDATE CONSTRAINT ${foreignKeyOf(schema).name}`]),
  },
];
