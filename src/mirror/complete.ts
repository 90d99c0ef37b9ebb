import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { VERDICTS } from './apply-verdicts.js';

/** Returns once every key that moves has its account key; else the loop looks again. */
export const returnIfComplete = ({ legacy: l }: MappedSchema): string => sql`
  -- A row that another session just wrote can have kept ours out; with a new snapshot the rules see it. An account
  -- key can also have gone with its account, where the per-API row changed its account meanwhile.
  IF NOT EXISTS (
    SELECT FROM ${VERDICTS}
    WHERE v.outcome = 'move'
      AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = v.key_id AND t.origin_api_id IS NOT NULL)
  ) THEN
    ${writeOverlaps(l)}
    RETURN;
  END IF;`;

/** A token that both tables answer for costs authorize a second look. */
const writeOverlaps = (l: MappedSchema['legacy']): string => sql`
  -- keylift.overlaps has a row for each key, not for each token: no writer waits for another one.
  IF some_do_not_move AND EXISTS (SELECT FROM ${VERDICTS} WHERE v.outcome IN ('exception', 'hold')) THEN
    IF EXISTS (SELECT FROM ${VERDICTS} JOIN keylift.overlaps p ON p.key_id = v.key_id) THEN
      DELETE FROM keylift.overlaps p
      USING ${VERDICTS}
      WHERE p.key_id = v.key_id AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.token = v.token);
    END IF;
    INSERT INTO keylift.overlaps (key_id)
    SELECT v.key_id
    FROM ${VERDICTS}
    WHERE v.outcome IN ('exception', 'hold')
      AND (
        v.token IN (SELECT m.token FROM unnest(own.verdicts) m WHERE m.outcome = 'move')
        OR EXISTS (
          SELECT FROM ${l.target} b
          WHERE b.token = v.token AND (b.origin_api_id IS NULL OR b.id <> v.key_id)
        )
      )
    ON CONFLICT DO NOTHING;
  END IF;`;
