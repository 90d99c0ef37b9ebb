import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { row, sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { IS_OWN_WRITE } from './own-writes.js';
import { truncateTrigger } from './triggers.js';

const LOG_TRIGGERS = ['keylift_log_insert', 'keylift_log_update', 'keylift_log_delete'];

/** Functions of the triggers that record changes and refuse others while the backfill copies. */
export const changeLogFunctions = (schema: MappedSchema): InstalledFunction[] => [logChange(schema), refuseMoving()];

const logChange = ({ legacy: l }: MappedSchema): InstalledFunction =>
  installedFunction({
    name: 'log_change',
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Runs after a row of the legacy table changes, until the mirror is on. Adds the row's id to the change log, the old
      and the new one where they differ. It looks nothing up and takes no lock.`,
    body: sql`
      BEGIN
        IF TG_OP <> 'DELETE' THEN
          INSERT INTO keylift.change_log (key_id) VALUES (${l.id('NEW')});
        END IF;
        IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND ${l.id('NEW')} IS DISTINCT FROM ${l.id('OLD')} THEN
          INSERT INTO keylift.change_log (key_id) VALUES (${l.id('OLD')});
        END IF;
        RETURN NULL;
      END`,
  });

/** In a rollback before the mirror is on, the rows of the whole table leave: their triggers have nothing to refuse. */
export const letMovedKeysGo = (): InstalledFunction =>
  installedFunction({
    name: 'refuse_moving',
    replace: true,
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: 'Replaced in the transaction that deletes every moved key; no other session sees it.',
    body: sql`
      BEGIN
        RETURN OLD;
      END`,
  });

const refuseMoving = (): InstalledFunction =>
  installedFunction({
    name: 'refuse_moving',
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Runs before a moved key is changed or deleted in Settings, until the mirror is on. Refuses it: the change could not
      reach the per-API key yet.`,
    body: sql`
      BEGIN
        IF ${IS_OWN_WRITE} THEN RETURN coalesce(NEW, OLD); END IF;
        RAISE EXCEPTION 'this key is being moved into Settings and cannot be changed there yet'
          USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Change it in its API until keylift has completed the stage harden. Native keys can be changed.';
      END`,
  });

/** Triggers for each row: a partitioned table hands them on to its partitions. */
export function changeLogTriggers({ legacy: l, types, partitions }: MappedSchema): Statement[] {
  const watched = (record: string): string => row(types.watched.map((column) => `${record}.${column.name}`));
  const trigger = (name: string, event: string, when = ''): string => sql`
    CREATE TRIGGER ${name} AFTER ${event} ON ${l.keys}
      FOR EACH ROW ${when} EXECUTE FUNCTION keylift.log_change();`;
  return [
    {
      title: `triggers of ${l.keys} that fill the change log`,
      text: [
        trigger('keylift_log_insert', 'INSERT'),
        trigger(
          'keylift_log_update',
          'UPDATE',
          sql`
            WHEN (record_image_ne(
              ${watched('OLD')},
              ${watched('NEW')}))`,
        ),
        trigger('keylift_log_delete', 'DELETE'),
        ...[l.keys, ...partitions.map((part) => part.table)].map(truncateTrigger),
      ].join('\n'),
    },
    {
      title: `trigger of ${l.target} that refuses changes of moved keys`,
      text: sql`
        CREATE TRIGGER keylift_moving BEFORE UPDATE OR DELETE ON ${l.target}
          FOR EACH ROW WHEN (OLD.origin_api_id IS NOT NULL) EXECUTE FUNCTION keylift.refuse_moving();`,
    },
  ];
}

export const dropChangeLogTriggers = ({ legacy: l, partitions }: MappedSchema): Statement => ({
  title: 'drop the triggers of the change log',
  text: sql`
    ${LOG_TRIGGERS.map((trigger) => `DROP TRIGGER IF EXISTS ${trigger} ON ${l.keys};`).join('\n')}
    ${[l.keys, ...partitions.map((part) => part.table)].map((table) => `DROP TRIGGER IF EXISTS keylift_truncate ON ${table};`).join('\n')}
    DROP TRIGGER IF EXISTS keylift_moving ON ${l.target};`,
});
