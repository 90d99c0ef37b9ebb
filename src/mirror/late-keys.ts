import { revokeFromOthers } from '../database/rights.js';
import { sql } from '../database/sql.js';
import { SQLSTATE } from '../database/sqlstate.js';
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
 * and those before have committed. A row that stayed behind with its account key would miss every later change of it, so
 * the step refuses such rows. They leave in a page of finalize, and the step runs again.
 */
export const refuseLate = ({ legacy: l }: MappedSchema): string => sql`
  DO $do$
  BEGIN
    IF EXISTS (
      SELECT
      FROM ${l.keys} k
      WHERE ${l.id()} IN (SELECT late.key_id FROM ${LATE} late)
        AND (
          EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
          OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()} AND x.outcome = 'merge')
        )
    ) THEN
      RAISE EXCEPTION 'keys moved after their page of finalize' USING ERRCODE = '${SQLSTATE.lateKeys}';
    END IF;
    DELETE FROM ${LATE};
  END
  $do$;`;
