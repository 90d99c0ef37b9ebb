import type { MappedSchema } from '../mapping/inspect.js';

/**
 * `CREATE TRIGGER` for both tables. Whose write it is, their functions ask first: PostgreSQL reads a WHEN anew for each
 * statement, which costs a single write more than a function that returns at once.
 */
export function mirrorTriggers({ legacy: l, partitions }: MappedSchema): string {
  const statement = (options: { name: string; table: string; event: string; rows: string; runs: string }): string =>
    `CREATE TRIGGER ${options.name} AFTER ${options.event} ON ${options.table} REFERENCING ${options.rows}
       FOR EACH STATEMENT EXECUTE FUNCTION keylift.${options.runs}();`;
  const both = 'OLD TABLE AS old_rows NEW TABLE AS new_rows';
  // A statement runs the triggers of the one table it names: the partitioned one, or a partition.
  const ofLegacy = (table: string): string[] => [
    statement({ name: 'keylift_insert', table, event: 'INSERT', rows: 'NEW TABLE AS new_rows', runs: 'mirror_insert' }),
    statement({ name: 'keylift_update', table, event: 'UPDATE', rows: both, runs: 'mirror_update' }),
    statement({ name: 'keylift_delete', table, event: 'DELETE', rows: 'OLD TABLE AS old_rows', runs: 'mirror_delete' }),
    noTruncate(table),
  ];
  return [
    ...[l.keys, ...partitions.map((part) => part.table)].flatMap(ofLegacy),
    statement({ name: 'keylift_update', table: l.target, event: 'UPDATE', rows: both, runs: 'mirror_back_update' }),
    statement({
      name: 'keylift_delete',
      table: l.target,
      event: 'DELETE',
      rows: 'OLD TABLE AS old_rows',
      runs: 'mirror_back_delete',
    }),
    `CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON ${l.target} FOR EACH ROW
       WHEN (NEW.origin_api_id IS NULL AND coalesce(current_setting('keylift.writer', true), '') = '')
       EXECUTE FUNCTION keylift.check_token();`,
    noTruncate(l.target),
  ].join('\n');
}

const noTruncate = (table: string): string =>
  `CREATE TRIGGER keylift_truncate BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION keylift.refuse_truncate();`;

/** What stays on the new table after finalize: no account key takes the token of a key left behind, and the archive follows. */
export const finalTriggers = ({ legacy: l }: MappedSchema): string => `
      CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON ${l.target} FOR EACH ROW EXECUTE FUNCTION keylift.check_token();
      ${noTruncate(l.target)}`;

const OF_LEGACY = ['keylift_insert', 'keylift_update', 'keylift_delete', 'keylift_truncate'];
const OF_TARGET = ['keylift_update', 'keylift_delete', 'keylift_born', 'keylift_truncate'];

/** Takes the mirror's triggers away, also from a partition that was detached since. */
export const dropMirrorTriggers = ({ legacy: l }: Pick<MappedSchema, 'legacy'>): string => `
      ${[...OF_LEGACY.map((t) => [t, l.keys]), ...OF_TARGET.map((t) => [t, l.target])].map(([t, table]) => `DROP TRIGGER IF EXISTS ${t!} ON ${table!};`).join('\n      ')}
      DO $do$ DECLARE part record; BEGIN
        FOR part IN SELECT t.tgname, t.tgrelid::regclass AS name FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
          WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
            AND t.tgname IN (${OF_LEGACY.map((t) => `'${t}'`).join(', ')})
        LOOP EXECUTE format('DROP TRIGGER %I ON %s', part.tgname, part.name); END LOOP;
      END $do$;`;
