import { revokeFromOthers } from '../database/rights.js';
import { inFormat, literal, sql } from '../database/sql.js';
import { ARCHIVE } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { rowsOfTokens } from './fragments.js';

/** Per-API keys that `settle` looked at since the archive exists, some of them more than once. */
export const LATE = 'keylift.late_keys';

/**
 * No index: writers that share a token must not wait for one another over a row that both insert. Without a primary key
 * the table needs a replica identity, or a publication FOR ALL TABLES would refuse its deletes.
 */
export const createLate = ({ types }: MappedSchema): string => sql`
  CREATE TABLE ${LATE} (key_id ${types.id} NOT NULL);
  ${revokeFromOthers('TABLE', LATE)}
  ALTER TABLE ${LATE} REPLICA IDENTITY FULL;`;

export const dropLate = `DROP TABLE IF EXISTS ${LATE};`;

/**
 * In `settle`: a key may get its account key after its page was archived. `to_regclass` reads the catalog as it is now,
 * also in a transaction whose snapshot is older than the archive.
 */
export const noteLate = ({ legacy: l }: MappedSchema, { ids, tokens }: { ids: string; tokens: string }): string => sql`
  IF to_regclass('${LATE}') IS NOT NULL THEN
    INSERT INTO ${LATE} (key_id)
    SELECT unnest(${ids})
    UNION
    SELECT ${l.id()}
    FROM
      ${rowsOfTokens(l, tokens)};
  END IF;`;

/**
 * Runs once the mirror's triggers are dropped, in the same transaction. The tables are locked, so no writer is under way,
 * and those before have committed. A row that stayed behind with its account key would miss every later change of it.
 */
export const archiveLate = (schema: MappedSchema): string => {
  const { legacy: l, types } = schema;
  return sql`
    DO $do$
    DECLARE
      leaving ${types.id}[];
      columns text;
      pointing record;
      points boolean;
    BEGIN
      SELECT array_agg(${l.id()})
      INTO leaving
      FROM ${l.keys} k
      WHERE ${l.id()} IN (SELECT late.key_id FROM ${LATE} late)
        AND (
          EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
          OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()} AND x.outcome = 'merge')
        );
      IF leaving IS NOT NULL THEN
        ${refusePointing(schema)}
        ${moveToArchive(schema)}
      END IF;
      DELETE FROM ${LATE};
    END
    $do$;`;
};

/** No row of another table may point at a row that leaves: its foreign key could delete it along. */
const refusePointing = ({ legacy: l }: MappedSchema): string => sql`
  FOR pointing IN
    SELECT c.conrelid::regclass AS name, a.attname AS column_name
    FROM pg_catalog.pg_constraint c
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.contype = 'f' AND c.confrelid = ${literal(l.keys)}::regclass
      AND c.conparentid = 0 AND cardinality(c.conkey) = 1
  LOOP
    EXECUTE format(
      'SELECT EXISTS (SELECT FROM %s f WHERE f.%I = ANY ($1))',
      pointing.name, pointing.column_name) INTO points USING leaving;
    IF points THEN
      -- finalize looks again, and names them all
      RAISE EXCEPTION 'rows of % have come to point at per-API rows that would be archived', pointing.name
        USING ERRCODE = 'foreign_key_violation';
    END IF;
  END LOOP;`;

/** The archive has the columns of the legacy table, which may have got further ones since. */
function moveToArchive({ legacy: l }: MappedSchema): string {
  return sql`
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    INTO columns
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = '${ARCHIVE}'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format(
      $late$
        WITH gone AS (
          DELETE FROM ${inFormat(l.keys)} k WHERE ${inFormat(l.id())} = ANY ($1) RETURNING *
        )
        INSERT INTO ${ARCHIVE} (%1$s)
        SELECT %1$s FROM gone
      $late$,
      columns) USING leaving;`;
}
