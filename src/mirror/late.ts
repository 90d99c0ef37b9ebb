import { ARCHIVE } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Per-API keys that were judged since the archive is there, some of them more than once. */
export const LATE = 'keylift.late_keys';

/**
 * No index: writers that share a token must not wait for one another over a line they both note. Without a primary key
 * the table needs a replica identity, or a publication FOR ALL TABLES would refuse its deletes.
 */
export const createLate = ({ types }: MappedSchema): string =>
  `CREATE TABLE IF NOT EXISTS ${LATE} (key_id ${types.id} NOT NULL);
   ALTER TABLE ${LATE} REPLICA IDENTITY FULL;`;

export const dropLate = `DROP TABLE IF EXISTS ${LATE};`;

/**
 * In `settle`, after its judgement: what it judged may have its account key only since the page of it was archived. A
 * name is looked up in the catalog as it is now, also by a transaction whose snapshot is older than the archive.
 */
export const noteLate = ({ legacy: l }: MappedSchema): string => `
      IF to_regclass('${LATE}') IS NOT NULL THEN
        INSERT INTO ${LATE} (key_id)
          SELECT unnest(asked.ids) UNION SELECT ${l.id()} FROM unnest(asked.tokens) AS given (token) JOIN ${l.keys} k ON ${l.token()} = given.token;
      END IF;`;

/**
 * Once the mirror's triggers are dropped, in the same transaction: with their tables locked nobody writes, and those who
 * wrote before have committed. A row that stayed behind with its account key would miss every later change of it.
 */
export const archiveLate = ({ legacy: l, types }: MappedSchema): string => {
  const inFormat = (sql: string): string => sql.replaceAll('%', '%%');
  return `
      DO $do$
      DECLARE
        leaving ${types.id}[];
        columns text;
        pointing record;
        points boolean;
      BEGIN
        SELECT array_agg(${l.id()}) INTO leaving FROM ${l.keys} k
          WHERE ${l.id()} IN (SELECT late.key_id FROM ${LATE} late)
            AND (EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
              OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()} AND x.outcome = 'merge'));
        IF leaving IS NOT NULL THEN
          FOR pointing IN
            SELECT c.conrelid::regclass AS name, a.attname AS column_name
            FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.contype = 'f' AND c.confrelid = '${l.keys.replaceAll("'", "''")}'::regclass AND c.conparentid = 0 AND cardinality(c.conkey) = 1
          LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s f WHERE f.%I = ANY ($1))', pointing.name, pointing.column_name) INTO points USING leaving;
            IF points THEN
              RAISE EXCEPTION 'rows of % have come to point at per-API rows that would be archived', pointing.name
                USING ERRCODE = 'foreign_key_violation'; -- finalize looks again, and names them all
            END IF;
          END LOOP;
          SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
            FROM pg_catalog.pg_attribute a WHERE a.attrelid = '${ARCHIVE}'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
          EXECUTE format($late$WITH gone AS (DELETE FROM ${inFormat(l.keys)} k WHERE ${inFormat(l.id())} = ANY ($1) RETURNING *)
            INSERT INTO ${ARCHIVE} (%1$s) SELECT %1$s FROM gone$late$, columns) USING leaving;
        END IF;
        DELETE FROM ${LATE};
      END $do$;`;
};
