import { sql } from '../../database/sql.js';
import { forgetSteering } from '../../ledger/control.js';
import { recordEvent } from '../../ledger/events.js';
import { readInstalled } from '../../ledger/installed.js';
import { moveTo, type LedgerState } from '../../ledger/migration.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { StageContext } from '../../run/context.js';
import { applySwitch } from '../switch/rule.js';
import { FORGET_MIGRATION } from './statements.js';

/** Everything of the schema keylift but the ledger, which step 01 creates. Later steps create it again. */
export const FORGET_INSTALLATION = sql`
  /* rollback: drop what is left of a migration whose tables were restored */
  DO $do$
  DECLARE
    statement text;
  BEGIN
    FOR statement IN
      SELECT format('DROP VIEW keylift.%I CASCADE', c.relname)
      FROM pg_catalog.pg_class c
      WHERE c.relnamespace = 'keylift'::regnamespace AND c.relkind = 'v'
      UNION ALL
      SELECT format('DROP FUNCTION %s CASCADE', p.oid::regprocedure)
      FROM pg_catalog.pg_proc p
      WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname NOT IN ('own_write', 'revoke_from_others')
    LOOP
      EXECUTE statement;
    END LOOP;
    DROP TYPE IF EXISTS keylift.verdict;
    DROP SEQUENCE IF EXISTS keylift.key_ids;
    DROP TABLE IF EXISTS keylift.archived_keys, keylift.late_keys;
    DELETE FROM keylift.knex_migrations WHERE name <> '01_ledger';
  END
  $do$;`;

/** Does the legacy table have every row of the archive again? */
export const everyArchivedRowIsBack = ({ legacy: l }: MappedSchema): string => sql`
  /* rollback: look for archived rows that the legacy table does not have */
  SELECT NOT EXISTS (
    SELECT
    FROM keylift.archived_keys k
    WHERE NOT EXISTS (SELECT FROM ${l.keys} r WHERE ${l.id('r')} = ${l.id()})
  ) AS restored`;

/**
 * Were the mapped tables restored from a copy made before the migration, while the ledger stayed? Then the new table is
 * gone, and no archived row is left that only the ledger has.
 */
export async function wasRestored({ database, schema, ddl }: StageContext): Promise<boolean> {
  if (!(await ddl.completed()).has('02_account_keys')) return false;
  return database.readOnly(async (session) => {
    const { target, archive } = await readInstalled(session, schema.settings);
    if (target || !archive) return !target;
    const { restored } = await session.one<{ restored: boolean }>(everyArchivedRowIsBack(schema));
    return restored;
  });
}

/** The rollback of such a migration: the legacy table is as it was, so only the ledger has something to forget. */
export async function forgetRestored({ database, schema, run }: StageContext, { state }: LedgerState): Promise<void> {
  await database.transaction(
    async (session) => {
      await applySwitch(session, schema, { scope: { kind: 'all' }, back: true });
      await session.query(FORGET_INSTALLATION);
      for (const statement of FORGET_MIGRATION) await session.query(statement);
      await forgetSteering(session);
      if (state === 'finalized') await moveTo(session, { state: 'restoring' });
      await moveTo(session, { state: 'rolling_back' });
      await moveTo(session, { state: 'rolled_back', stage: null });
      await recordEvent(session, { kind: 'rolled_back', runId: run.runId, facts: { removed: 0, restored: true } });
    },
    { name: 'rollback: forget a migration whose tables were restored' },
  );
}
