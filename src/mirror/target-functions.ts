import type { MappedSchema } from '../mapping/inspect.js';
import { comparable } from './comparable.js';

/** Legacy columns a change in Settings is carried back to. Dates of creation are nobody's to change. */
function carriedBack({ legacy: l, carried }: MappedSchema): { legacy: string; target: string; keeperOnly: boolean }[] {
  const w = l.writable;
  const pairs = [
    { legacy: w.name, target: 'name', keeperOnly: true },
    { legacy: w.token, target: 'token', keeperOnly: false },
    { legacy: w.account, target: 'account_id', keeperOnly: false },
    { legacy: w.revokedAt, target: 'revoked_at', keeperOnly: false },
    { legacy: w.expiresAt, target: 'expires_at', keeperOnly: false },
    ...carried.filter((c) => !c.computed).map(({ name }) => ({ legacy: name, target: name, keeperOnly: true })),
  ];
  // One legacy column may stand for two values; it takes one of them.
  return pairs.filter(
    (p, at): p is { legacy: string; target: string; keeperOnly: boolean } =>
      p.legacy !== null && pairs.findIndex((other) => other.legacy === p.legacy) === at,
  );
}

/** Columns of the new table whose change the legacy table has no column for: it keeps nothing, or an expression. */
function heldNowhere({ legacy: l }: MappedSchema): string[] {
  const w = l.writable;
  const columns = {
    token: w.token,
    account_id: w.account,
    revoked_at: w.revokedAt,
    expires_at: w.expiresAt,
    ...(l.hasName ? { name: w.name } : {}),
  };
  return Object.entries(columns).flatMap(([column, legacy]) => (legacy === null ? [column] : []));
}

/** A change that the per-API key could not follow would be undone by a rollback: better no change than one that is lost. */
function refuseToLose(columns: readonly string[]): string {
  if (columns.length === 0) return '';
  const row = (alias: string): string => `ROW(${columns.map((c) => `${alias}.${c}`).join(', ')})`;
  return `
      IF EXISTS (SELECT FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.origin_api_id IS NOT NULL AND record_image_ne(${row('n')}, ${row('o')})) THEN
        RAISE EXCEPTION 'the per-API keys have no column of their own for ${columns.join(', ')}, and would not follow this change'
          USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Until keylift finalize --purge, delete the key instead, or change what the value is computed from.';
      END IF;`;
}

/** The mirror does not carry its own writes back. */
const LEAVE_MIRRORED = `IF coalesce(current_setting('keylift.writer', true), '') <> '' THEN RETURN NULL; END IF;`;

/**
 * A statement over transition tables, planned afresh when they are large: a plan cached from a single-row change
 * would join 100,000 rows row by row.
 */
const bySize = (statement: string, { inline = statement } = {}): string => `
      IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN EXECUTE $statement$${statement}$statement$;
      ELSE ${inline}; END IF;`;

/**
 * Locks the rows merged into changed account keys. The statement after it sees who is merged now: a row that its writer
 * took out of the group meanwhile would still be in the group that a waiting UPDATE began with.
 */
function lockMerged(context: MappedSchema, { table, rows }: { table: string; rows: 'old_rows' | 'new_rows' }): string {
  const { id } = context.legacy;
  const merged = `FROM ${rows} n JOIN keylift.outcomes x ON x.account_key_id = n.id JOIN ${table} k ON ${id()} = x.key_id
        WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL ORDER BY ${id()} FOR NO KEY UPDATE OF k`;
  return bySize(`SELECT ${merged}`, { inline: `PERFORM ${merged}` });
}

/** UPDATE of the per-API rows (in their table, or in the archive) that changed account keys stand for. */
function carryBack(context: MappedSchema, table: string): string {
  const { legacy: l } = context;
  const back = carriedBack(context).map((pair, at) => ({
    ...pair,
    old: `old_${String(at)}`,
    new: `new_${String(at)}`,
  }));
  if (back.length === 0) return 'RETURN NULL;';
  type Pair = (typeof back)[number];
  // By image, not by equality: some types have none, and to some an upper case letter equals a lower case one.
  const value = (p: Pair): string =>
    `CASE WHEN ${p.keeperOnly ? 'm.key_id = m.id AND ' : ''}record_image_ne(ROW(m.${p.old}), ROW(m.${p.new})) THEN m.${p.new} ELSE k.${p.legacy} END`;
  const pairs = back.map((p) => `o.${p.target} AS ${p.old}, n.${p.target} AS ${p.new}`).join(', ');
  const fields = (rows: string): string =>
    back.map((p) => comparable(`${rows}.${p.target}`, { byText: true })).join(', ');
  return `
      IF NOT EXISTS (SELECT n.id, ${fields('n')} FROM new_rows n WHERE n.origin_api_id IS NOT NULL
          EXCEPT ALL SELECT o.id, ${fields('o')} FROM old_rows o) THEN
        RETURN NULL;
      END IF;
      ${lockMerged(context, { table, rows: 'new_rows' })}
      -- One statement for all rows of a repeated token: judged between two of them, they would differ.
      ${bySize(`
      UPDATE ${table} k SET ${back.map((p) => `${p.legacy} = ${value(p)}`).join(', ')}
      FROM (
        SELECT n.id, n.id AS key_id, ${pairs} FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.origin_api_id IS NOT NULL
        UNION ALL
        SELECT n.id, x.key_id, ${pairs} FROM new_rows n JOIN old_rows o ON o.id = n.id
          JOIN keylift.outcomes x ON x.account_key_id = n.id WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL) m
      WHERE ${l.id()} = m.key_id
        AND record_image_ne(ROW(${back.map((p) => `k.${p.legacy}`).join(', ')}), ROW(${back.map(value).join(', ')}))`)}
      RETURN NULL;`;
}

/** Per-API rows the deleted account keys stood for. */
const goneKeys = (further: string): string => `(
        SELECT d.id AS key_id FROM old_rows d WHERE d.origin_api_id IS NOT NULL ${further}
        UNION ALL SELECT x.key_id FROM old_rows d JOIN keylift.outcomes x ON x.account_key_id = d.id
          WHERE x.outcome = 'merge' AND d.origin_api_id IS NOT NULL ${further}) m`;

const functionHead = ({ searchPath }: MappedSchema): string =>
  `RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${searchPath} AS $body$`;

/** Per-API keys that had to stay one for a token that a key born in Settings had, and has no more, are judged anew. */
const judgeReleased = ({ legacy: l }: MappedSchema, released: string): string => `
      PERFORM keylift.settle('{}', freed.tokens) FROM (
        SELECT array_agg(DISTINCT o.token) AS tokens FROM ${released} AND EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = o.token)) freed
      WHERE freed.tokens IS NOT NULL;`;

/** Trigger functions of the new table: they write the legacy rows, whose own triggers then find nothing left to do. */
export function targetTriggerFunctions(context: MappedSchema): string {
  const { legacy: l } = context;
  const head = functionHead(context);
  return `
    CREATE FUNCTION keylift.mirror_back_update() ${head}
    BEGIN
      ${LEAVE_MIRRORED} ${refuseToLose(heldNowhere(context))}
      ${judgeReleased(context, 'old_rows o JOIN new_rows n ON n.id = o.id WHERE o.origin_api_id IS NULL AND n.token <> o.token')}
      ${carryBack(context, l.keys)}
    END $body$;

    CREATE FUNCTION keylift.mirror_back_delete() ${head}
    BEGIN
      ${LEAVE_MIRRORED} ${lockMerged(context, { table: l.keys, rows: 'old_rows' })}
      -- An account that is gone took its keys with it (foreign key); the per-API keys wait for a person instead.
      ${bySize(`DELETE FROM ${l.keys} k USING ${goneKeys(`AND EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = d.account_id)`)} WHERE ${l.id()} = m.key_id`)}
      PERFORM keylift.settle(gone.ids, gone.tokens) FROM (
        SELECT array_agg(d.id) AS ids, array_agg(d.token) AS tokens FROM old_rows d
        WHERE d.origin_api_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = d.account_id)) gone
      WHERE gone.ids IS NOT NULL;
      ${judgeReleased(context, 'old_rows o WHERE o.origin_api_id IS NULL')}
      RETURN NULL;
    END $body$;

    CREATE FUNCTION keylift.check_token() ${head}
    BEGIN
      IF TG_OP = 'UPDATE' THEN
        IF NEW.token = OLD.token THEN RETURN NEW; END IF;
      END IF;
      IF length(NEW.token) = 0 THEN
        RAISE EXCEPTION 'a key needs a token' USING ERRCODE = 'check_violation';
      END IF;
      IF EXISTS (SELECT FROM ${l.from} WHERE ${l.token()} = NEW.token AND ${l.inStore()} AND ${l.isPerApiKey()}) THEN
        RAISE EXCEPTION 'this token belongs to an existing key' USING ERRCODE = 'unique_violation';
      END IF;
      RETURN NEW;
    END $body$;`;
}

/** Trigger functions that keep the archive what the legacy rows would be, so that a rollback restores them as they stand. */
export function archiveTriggerFunctions(context: MappedSchema, archive: string): string {
  const head = functionHead(context);
  const lost = heldNowhere(context);
  // No per-API key answers any more, so a revocation is free to be made: what is revoked does not come back.
  const forget = lost.includes('revoked_at')
    ? `DELETE FROM ${archive} k USING (
        SELECT n.id AS key_id FROM new_rows n WHERE n.origin_api_id IS NOT NULL AND n.revoked_at IS NOT NULL
        UNION ALL SELECT x.key_id FROM new_rows n JOIN keylift.outcomes x ON x.account_key_id = n.id
          WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL AND n.revoked_at IS NOT NULL) m WHERE ${context.legacy.id()} = m.key_id;`
    : '';
  return `
    CREATE FUNCTION keylift.archive_update() ${head}
    BEGIN ${refuseToLose(lost.filter((column) => !['revoked_at', 'name'].includes(column)))} ${forget} ${carryBack(context, archive)}
    END $body$;
    CREATE FUNCTION keylift.archive_delete() ${head}
    BEGIN ${lockMerged(context, { table: archive, rows: 'old_rows' })}
      ${bySize(`DELETE FROM ${archive} k USING ${goneKeys('')} WHERE ${context.legacy.id()} = m.key_id`)}
      RETURN NULL;
    END $body$;`;
}
