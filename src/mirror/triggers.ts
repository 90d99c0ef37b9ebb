import { literal, sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';

const NEW_ROWS = 'NEW TABLE AS new_rows';
const OLD_ROWS = 'OLD TABLE AS old_rows';

interface StatementTrigger {
  name: string;
  table: string;
  event: 'INSERT' | 'UPDATE' | 'DELETE';
  rows: string;
  runs: string;
}

const statementTrigger = ({ name, table, event, rows, runs }: StatementTrigger): string => sql`
  CREATE TRIGGER ${name} AFTER ${event} ON ${table}
    REFERENCING ${rows}
    FOR EACH STATEMENT
    EXECUTE FUNCTION keylift.${runs}();`;

export const truncateTrigger = (table: string): string => sql`
  CREATE TRIGGER keylift_truncate BEFORE TRUNCATE ON ${table}
    FOR EACH STATEMENT
    EXECUTE FUNCTION keylift.refuse_truncate();`;

/**
 * The triggers of both tables. Their functions look themselves at who writes: PostgreSQL reads a WHEN anew for each
 * statement, which costs a single write more than a function that returns at once. A statement fires the triggers of the
 * one table that it names: the partitioned one, or a partition.
 */
export const mirrorTriggers = ({ legacy: l, partitions }: MappedSchema): Statement[] => [
  ...[l.keys, ...partitions.map((part) => part.table)].map((table) => ({
    title: `triggers of ${table}`,
    text: legacyTriggers(table),
  })),
  { title: `triggers of ${l.target}`, text: targetTriggers(l.target) },
];

function legacyTriggers(table: string): string {
  const both = `${OLD_ROWS} ${NEW_ROWS}`;
  return [
    statementTrigger({ name: 'keylift_insert', table, event: 'INSERT', rows: NEW_ROWS, runs: 'mirror_insert' }),
    statementTrigger({ name: 'keylift_update', table, event: 'UPDATE', rows: both, runs: 'mirror_update' }),
    statementTrigger({ name: 'keylift_delete', table, event: 'DELETE', rows: OLD_ROWS, runs: 'mirror_delete' }),
    truncateTrigger(table),
  ].join('\n');
}

function targetTriggers(table: string): string {
  const both = `${OLD_ROWS} ${NEW_ROWS}`;
  return [
    statementTrigger({ name: 'keylift_update', table, event: 'UPDATE', rows: both, runs: 'mirror_back_update' }),
    statementTrigger({ name: 'keylift_delete', table, event: 'DELETE', rows: OLD_ROWS, runs: 'mirror_back_delete' }),
  ].join('\n');
}

const checkTokenTrigger = (table: string, when: string): string => sql`
  CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON ${table}
    FOR EACH ROW ${when}
    EXECUTE FUNCTION keylift.check_token();`;

/** What the new table has from expand on: checks of native keys, and no TRUNCATE. */
export const permanentTriggers = ({ legacy: l }: MappedSchema): Statement[] => [
  {
    title: `triggers of ${l.target} that stay`,
    text: [checkTokenTrigger(l.target, 'WHEN (NEW.origin_api_id IS NULL)'), truncateTrigger(l.target)].join('\n'),
  },
];

export const dropPermanentTriggers = ({ legacy: l }: MappedSchema): Statement => ({
  title: `drop the triggers of ${l.target} that stay`,
  text: sql`
    DROP TRIGGER IF EXISTS keylift_born ON ${l.target};
    DROP TRIGGER IF EXISTS keylift_truncate ON ${l.target};`,
});

/** After finalize no account key at all, moved or native, may take the token of a per-API key that was left. */
export const checkEveryToken = ({ legacy: l }: MappedSchema): Statement => ({
  title: `check of every token that enters ${l.target}`,
  text: sql`
    DROP TRIGGER IF EXISTS keylift_born ON ${l.target};
    ${checkTokenTrigger(l.target, '')}`,
});

/** The way back from finalize: the mirror checks the tokens of moved keys again. */
export const checkNativeTokens = ({ legacy: l }: MappedSchema): Statement => ({
  title: `check of native tokens that enter ${l.target}`,
  text: sql`
    DROP TRIGGER IF EXISTS keylift_born ON ${l.target};
    ${checkTokenTrigger(l.target, 'WHEN (NEW.origin_api_id IS NULL)')}`,
});

/** From finalize on: the legacy table refuses new keys of store APIs, and the archive follows the account keys. */
export const archiveTriggers = ({ legacy: l }: MappedSchema): Statement => {
  return {
    title: 'triggers of the archive and the legacy table',
    text: [
      sql`
        CREATE TRIGGER keylift_guard BEFORE INSERT OR UPDATE ON ${l.keys}
          FOR EACH ROW
          EXECUTE FUNCTION keylift.refuse_store_key();`,
      statementTrigger({
        name: 'keylift_archive_update',
        table: l.target,
        event: 'UPDATE',
        rows: `${OLD_ROWS} ${NEW_ROWS}`,
        runs: 'archive_update',
      }),
      statementTrigger({
        name: 'keylift_archive_delete',
        table: l.target,
        event: 'DELETE',
        rows: OLD_ROWS,
        runs: 'archive_delete',
      }),
    ].join('\n'),
  };
};

export const dropArchiveTriggers = ({ legacy: l }: MappedSchema): string => sql`
  DROP TRIGGER IF EXISTS keylift_guard ON ${l.keys};
  DROP TRIGGER IF EXISTS keylift_archive_update ON ${l.target};
  DROP TRIGGER IF EXISTS keylift_archive_delete ON ${l.target};`;

const OF_LEGACY = ['keylift_insert', 'keylift_update', 'keylift_delete', 'keylift_truncate'];
const OF_TARGET = ['keylift_update', 'keylift_delete'];

/** Drops the mirror's triggers, also those of a partition that was detached since. */
export const dropMirrorTriggers = ({ legacy: l }: Pick<MappedSchema, 'legacy'>): Statement => ({
  title: 'drop the triggers of the mirror',
  text: sql`
    ${OF_LEGACY.map((trigger) => `DROP TRIGGER IF EXISTS ${trigger} ON ${l.keys};`).join('\n')}
    ${OF_TARGET.map((trigger) => `DROP TRIGGER IF EXISTS ${trigger} ON ${l.target};`).join('\n')}
    DO $do$
    DECLARE
      part record;
    BEGIN
      FOR part IN
        SELECT t.tgname, t.tgrelid::regclass AS name
        FROM pg_catalog.pg_trigger t
          JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
          AND t.tgrelid IS DISTINCT FROM to_regclass(${literal(l.target)})
          AND t.tgname IN (${OF_LEGACY.map((t) => `'${t}'`).join(', ')})
      LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', part.tgname, part.name);
      END LOOP;
    END
    $do$;`,
});
