import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { literal, sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { MARK_VARIABLES, marked } from './own-writes.js';

/**
 * Until harden adds the foreign key of the new table, a trigger of the accounts takes account keys along when an account
 * changes its id. It exists only where the legacy rows follow such a change, and where the role may create it; without it
 * the change log brings the moved keys in line at harden.
 */
export const accountIdFunctions = (schema: MappedSchema): InstalledFunction[] =>
  followsAccounts(schema) ? [followAccountId(schema)] : [];

const followsAccounts = ({ accountForeignKey }: MappedSchema): boolean => accountForeignKey?.onUpdate === 'CASCADE';

const followAccountId = ({ legacy: l, searchPath }: MappedSchema): InstalledFunction =>
  installedFunction({
    name: 'follow_account_id',
    returns: 'trigger',
    searchPath,
    comment: sql`
      Runs after an account changes its id, until harden. The account keys keep their account, as the per-API keys do by
      their foreign key.`,
    body: sql`
      DECLARE
        ${MARK_VARIABLES}
      BEGIN
        ${marked(sql`
          UPDATE ${l.target} t SET account_id = ${l.accountId('NEW')} WHERE t.account_id = ${l.accountId('OLD')};`)}
        RETURN NULL;
      END`,
  });

export const accountIdTrigger = (schema: MappedSchema): Statement[] => {
  const { accounts, accountId } = schema.legacy;
  if (!followsAccounts(schema)) return [];
  return [
    {
      title: `trigger of ${accounts} that takes account keys along`,
      text: sql`
        DO $do$
        BEGIN
          IF has_table_privilege(${literal(accounts)}, 'TRIGGER') THEN
            CREATE TRIGGER keylift_account_id AFTER UPDATE OF ${accountId('')} ON ${accounts}
              FOR EACH ROW WHEN (${accountId('NEW')} IS DISTINCT FROM ${accountId('OLD')})
              EXECUTE FUNCTION keylift.follow_account_id();
          END IF;
        END
        $do$;`,
    },
  ];
};

/** The foreign key of the new table does the same from here on. */
export const dropAccountIdTrigger = (schema: MappedSchema): Statement[] => {
  if (!followsAccounts(schema)) return [];
  const { accounts } = schema.legacy;
  return [
    {
      title: `drop the trigger of ${accounts}`,
      text: sql`
        DO $do$
        BEGIN
          IF EXISTS (
            SELECT FROM pg_catalog.pg_trigger t
            WHERE t.tgrelid = ${literal(accounts)}::regclass AND t.tgname = 'keylift_account_id'
          ) THEN
            DROP TRIGGER keylift_account_id ON ${accounts};
          END IF;
        END
        $do$;`,
    },
  ];
};
