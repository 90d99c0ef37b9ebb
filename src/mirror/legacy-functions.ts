import type { WatchedColumn, MappedSchema } from '../mapping/inspect.js';
import { comparable } from './comparable.js';

/** Where no index does, the mirror keeps an id from being in two partitions: it could not tell these keys apart. */
const refuseRepeated = ({ legacy: l, types }: MappedSchema): string =>
  types.idMayRepeat
    ? `
      IF EXISTS (SELECT FROM new_rows n JOIN ${l.keys} k ON ${l.id()} = ${l.id('n')} GROUP BY ${l.id()} HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'a key with this id is in another partition' USING ERRCODE = 'unique_violation';
      END IF;`
    : '';

/** Bulk writes of keylift are not mirrored. */
const LEAVE_OURS = `IF coalesce(current_setting('keylift.writer', true), '') = 'keylift' THEN RETURN NULL; END IF;`;

/** Trigger functions of the legacy table: each hands the ids and tokens it saw to `keylift.settle`. */
export function legacyTriggerFunctions(context: MappedSchema): string {
  const { legacy: l, types, searchPath } = context;
  const head = `RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${searchPath} AS $body$`;
  const seen = (...sources: string[]): string => `
      SELECT array_agg(DISTINCT id), array_agg(DISTINCT token) FILTER (WHERE length(token) > 0) INTO ids, tokens
      FROM (${sources.map((s) => `SELECT ${l.id()} AS id, ${l.token()} AS token FROM ${s}`).join(' UNION ALL ')}) seen;
      IF ids IS NOT NULL THEN PERFORM keylift.settle(ids, coalesce(tokens, '{}'), true); END IF;
      RETURN NULL;`;
  const one = (rows: string): string => `
      SELECT ${l.id()}, ${l.token()}, EXISTS (SELECT FROM ${rows} OFFSET 1) INTO id, token, several FROM ${rows} k LIMIT 1;
      IF NOT several THEN
        IF keylift.${rows === 'new_rows' ? 'mirror_one_insert' : 'mirror_one_delete'}(id, token) THEN RETURN NULL; END IF;
      END IF;`;
  const declare = `#variable_conflict use_column
    DECLARE id ${types.id}; token ${types.token}; several boolean; changed boolean; ids ${types.id}[]; tokens ${types.token}[];`;
  const watched = (rows: string, as: (c: WatchedColumn) => string): string =>
    types.watched.map((c) => as({ ...c, name: `${rows}.${c.name}` })).join(', ');
  const compared = (rows: string): string => watched(rows, (c) => comparable(c.name, c));
  const whole = (rows: string): string => `ROW(${watched(rows, (c) => c.name)})`;
  return `
    CREATE FUNCTION keylift.mirror_insert() ${head} ${declare} BEGIN ${LEAVE_OURS} ${refuseRepeated(context)} ${one('new_rows')} ${seen('new_rows k')} END $body$;
    CREATE FUNCTION keylift.mirror_delete() ${head} ${declare} BEGIN ${LEAVE_OURS} ${one('old_rows')} ${seen('old_rows k')} END $body$;
    CREATE FUNCTION keylift.mirror_update() ${head} ${declare}
    BEGIN
      ${LEAVE_OURS}
      -- Last use is written at every call and is not carried row by row: leave before any work.
      SELECT ${l.id()}, ${l.token()}, record_image_ne(${whole('k')}, ${whole('o')}),
          EXISTS (SELECT FROM new_rows OFFSET 1) OR record_image_ne(ROW(${l.id()}), ROW(${l.id('o')}))
        INTO id, token, changed, several FROM new_rows k, old_rows o LIMIT 1;
      IF NOT FOUND THEN RETURN NULL; END IF;
      IF several THEN
        -- EXCEPT rather than a join: its cost does not hang on a plan made for another number of rows.
        IF NOT EXISTS (SELECT ${compared('n')} FROM new_rows n EXCEPT ALL SELECT ${compared('o')} FROM old_rows o) THEN
          RETURN NULL;
        END IF;
      ELSIF NOT changed THEN RETURN NULL;
      END IF;
      ${refuseRepeated(context)}
      IF NOT several THEN
        IF keylift.mirror_one_update(id, token) THEN RETURN NULL; END IF;
      END IF;
      ${seen('old_rows k', 'new_rows k')}
    END $body$;
    CREATE FUNCTION keylift.refuse_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      RAISE EXCEPTION 'TRUNCATE of % is refused while keylift mirrors it', TG_RELID::regclass
        USING ERRCODE = 'object_not_in_prerequisite_state',
          HINT = 'Delete the rows instead, so that the other table follows, or run keylift rollback first.';
    END $body$;`;
}
