import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { literal, row, sql } from '../database/sql.js';
import { ARCHIVE } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import {
  carryBack,
  columnsWithoutLegacy,
  lockMerged,
  perApiRowsOf,
  plannedBySize,
  refuseChangeOf,
} from './carry-back.js';
import { IS_OWN_WRITE } from './own-writes.js';
import { triggerFunction } from './platform-path.js';

/** Trigger functions from finalize on: the archive follows the account keys, and no new key enters the store. */
export const finalTriggerFunctions = (schema: MappedSchema): InstalledFunction[] => [
  archiveUpdate(schema),
  archiveDelete(schema),
  refuseStoreKey(schema),
];

function archiveUpdate(schema: MappedSchema): InstalledFunction {
  const lost = columnsWithoutLegacy(schema);
  return triggerFunction(schema, {
    name: 'archive_update',
    comment: sql`
      Runs after every UPDATE of account_api_keys by the platform, from finalize on. Carries the change to the archived
      rows, so that a rollback restores them as they stand then.`,
    declare: 'changes pg_catalog.text[];',
    body: sql`
      IF ${IS_OWN_WRITE} THEN EXIT body; END IF;
      ${refuseChangeOf(lost.filter((column) => !['revoked_at', 'name'].includes(column)))}
      ${lost.includes('revoked_at') ? forgetRevoked(schema) : ''}
      ${carryBack(schema, ARCHIVE)}`,
  });
}

/** Without a column for it the archive cannot hold a revocation: the row goes, and a rollback does not restore it. */
const forgetRevoked = ({ legacy: l }: MappedSchema): string => sql`
  DELETE FROM ${ARCHIVE} k
  USING ${perApiRowsOf('new_rows', ['d.origin_api_id IS NOT NULL', 'd.revoked_at IS NOT NULL'])}
  WHERE ${l.id()} = m.key_id;`;

function archiveDelete(schema: MappedSchema): InstalledFunction {
  return installedFunction({
    name: 'archive_delete',
    returns: 'trigger',
    searchPath: schema.searchPath,
    comment: sql`
      Runs after every DELETE from account_api_keys by the platform, from finalize on. Deletes the archived rows of the
      deleted keys.`,
    body: sql`
      BEGIN
        IF ${IS_OWN_WRITE} THEN RETURN NULL; END IF;
        ${lockMerged(schema, { table: ARCHIVE, rows: 'old_rows' })}
        ${plannedBySize(sql`
          DELETE FROM ${ARCHIVE} k
          USING ${perApiRowsOf('old_rows', ['d.origin_api_id IS NOT NULL'])}
          WHERE ${schema.legacy.id()} = m.key_id`)}
        RETURN NULL;
      END`,
  });
}

function refuseStoreKey(schema: MappedSchema): InstalledFunction {
  const { legacy: l, searchPath } = schema;
  return installedFunction({
    name: 'refuse_store_key',
    returns: 'trigger',
    searchPath,
    comment: sql`
      Runs before every INSERT and UPDATE of the legacy table, from finalize on. Refuses a new per-API key for a store
      API, and an existing key that enters the store. A key that finalize left in the table may change as before.`,
    body: sql`
      BEGIN
        IF TG_OP = 'UPDATE' THEN
          -- Last use is written at every call.
          IF ${unchanged(schema)} THEN RETURN NEW; END IF;
        END IF;
        IF ${IS_OWN_WRITE} THEN RETURN NEW; END IF;
        IF TG_OP = 'UPDATE' THEN
          ${keepKeyLeftBehind(schema)}
        END IF;
        IF ${isStoreKey(schema, 'NEW')} THEN
          RAISE EXCEPTION 'keys of store APIs are made in the account''s Settings now, not in an API'
            USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = ${literal(`Insert account_id, name and token into ${l.target} instead.`)};
        END IF;
        RETURN NEW;
      END`,
  });
}

/** Is every mapped value as it was? */
function unchanged({ types }: MappedSchema): string {
  const watched = (record: string): string => row(types.watched.map((column) => `${record}.${column.name}`));
  return sql`
    record_image_eq(
      ${watched('OLD')},
      ${watched('NEW')})`;
}

/** An UPDATE of a key that finalize left in the legacy table: the ledger follows, and the change is accepted. */
function keepKeyLeftBehind(schema: MappedSchema): string {
  const { legacy: l } = schema;
  const [before, after] = [l.id('OLD'), l.id('NEW')];
  return sql`
    -- A key that changes its id takes its lines of the ledger along.
    IF ${after} <> ${before} THEN
      DELETE FROM keylift.outcomes WHERE key_id = ${after} AND outcome IN ('exception', 'hold');
      DELETE FROM keylift.overlaps WHERE key_id = ${after};
      UPDATE keylift.outcomes SET key_id = ${after} WHERE key_id = ${before} AND outcome IN ('exception', 'hold');
      UPDATE keylift.overlaps SET key_id = ${after} WHERE key_id = ${before};
    END IF;
    -- A key of the store was left behind and may change, also to the token of an account key; only entering is refused.
    IF ${isStoreKey(schema, 'OLD')} THEN
      INSERT INTO keylift.overlaps (key_id)
      SELECT x.key_id
      FROM keylift.outcomes x JOIN (SELECT NEW.*) k ON ${l.id()} = x.key_id
      WHERE x.outcome IN ('exception', 'hold')
        AND EXISTS (SELECT FROM ${l.target} t WHERE t.token = ${l.token()})
      ON CONFLICT DO NOTHING;
      RETURN NEW;
    END IF;`;
}

/** Is this record of a trigger the key of a store API? */
const isStoreKey = ({ legacy: l }: MappedSchema, record: 'NEW' | 'OLD'): string => sql`
  EXISTS (
    SELECT FROM (SELECT ${record}.*) k
      LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
    WHERE ${l.inStore()} AND ${l.isPerApiKey()}
  )`;
