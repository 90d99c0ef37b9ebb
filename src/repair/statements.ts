import { sql } from '../database/sql.js';
import { ARCHIVE } from '../mapping/archive.js';
import { rowsInRange } from '../mapping/chunks.js';
import { copiedColumns, sourceRow, targetRow } from '../mapping/copy.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { settledByItself, staysByItself } from '../mapping/rules/verdicts.js';
import { outlivesBoth } from '../mirror/fragments.js';
import { ON_PLATFORM_PATH } from '../mirror/platform-path.js';

/** A key that is out of line, and what repair does with it. */
export interface OutOfLine {
  /** The account key's id, which is the id of its per-API key. */
  key_id: string;
  action: RepairAction;
}

export const REPAIR_ACTIONS = ['end_per_api_key', 'end_account_key', 'decide_again'] as const;
export type RepairAction = (typeof REPAIR_ACTIONS)[number];

const aliveTarget = (l: LegacyFragments): string => aliveExpression('t.revoked_at', 't.expires_at', l.now);

/**
 * Keys of a range of ids ($1, $2) that are out of line. `archived`: some rows are in the archive, so their account
 * keys have no legacy row.
 */
export const outOfLine = (
  l: LegacyFragments,
  { idType, archived }: { idType: string; archived: boolean },
): string => sql`
  /* repair: looking for keys that are out of line */
  SELECT key_id::text AS key_id, action
  FROM (
    ${endedInSettings(l, idType)}
    UNION ALL
    SELECT t.id,
      CASE WHEN ${aliveTarget(l)} AND NOT ${l.alive()} THEN 'end_account_key' ELSE 'decide_again' END
    FROM ${l.target} t
      JOIN (
        ${l.from}
      ) ON ${l.id()} = t.id
    WHERE ${rowsInRange('t.id', idType)}
      AND t.origin_api_id IS NOT NULL
      AND (${aliveTarget(l)} OR NOT ${l.alive()})
      AND (
        NOT ${l.isPerApiKey()}
        OR ${staysByItself(l)}
        OR record_image_ne(
          ${targetRow(copiedColumns(l))},
          ${sourceRow(copiedColumns(l))})
      )
    UNION ALL
    SELECT ${l.id()}, 'decide_again'
    FROM
      ${l.from}
    WHERE ${rowsInRange(l.id(), idType)}
      AND ${l.isPerApiKey()}
      AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
      AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
    UNION ALL
    SELECT t.id, 'decide_again'
    FROM ${l.target} t
    WHERE ${rowsInRange('t.id', idType)}
      AND t.origin_api_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id)
      ${archived ? `AND NOT EXISTS (SELECT FROM ${ARCHIVE} k WHERE ${l.id()} = t.id)` : ''}
      AND NOT ${outlivesBoth(l)}
  ) key
  ORDER BY key.key_id`;

/** Dead account keys of a range with a living per-API key, their own or one that is merged into them. */
const endedInSettings = (l: LegacyFragments, idType: string): string => sql`
  SELECT t.id AS key_id, 'end_per_api_key' AS action
  FROM ${l.target} t
  WHERE ${rowsInRange('t.id', idType)}
    AND t.origin_api_id IS NOT NULL
    AND NOT ${aliveTarget(l)}
    AND EXISTS (
      SELECT FROM ${l.keys} k
      WHERE ${l.alive()} AND ${l.id()} IN (
        SELECT t.id
        UNION ALL
        SELECT x.key_id FROM keylift.outcomes x WHERE x.account_key_id = t.id AND x.outcome = 'merge'
      )
    )`;

/** The per-API keys behind the account keys $1: `m (key_id, revoked_at, expires_at)`. */
const behind = (l: LegacyFragments, idType: string): string => sql`
  (
    SELECT t.id AS key_id, t.revoked_at, t.expires_at
    FROM ${l.target} t
    WHERE t.id = ANY ($1::text[]::${idType}[]) AND t.origin_api_id IS NOT NULL
    UNION ALL
    SELECT x.key_id, t.revoked_at, t.expires_at
    FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
    WHERE x.outcome = 'merge' AND t.id = ANY ($1::text[]::${idType}[]) AND t.origin_api_id IS NOT NULL
  ) m`;

/** Ends the living per-API keys behind dead account keys, as Settings would have done. */
export function endPerApiKeys(l: LegacyFragments, idType: string): string[] {
  const end = (column: string | null, value: string, condition: string): string[] =>
    column === null
      ? []
      : [
          sql`
            /* repair: ending per-API keys whose account key is dead */
            UPDATE ${l.keys} k
            SET ${column} = m.${value}
            FROM ${behind(l, idType)}
            WHERE ${l.id()} = m.key_id
              AND ${condition}
              AND ${l.alive()}
              AND ${ON_PLATFORM_PATH}`,
        ];
  return [
    ...end(l.writable.revokedAt, 'revoked_at', 'm.revoked_at IS NOT NULL'),
    ...end(l.writable.expiresAt, 'expires_at', `m.revoked_at IS NULL AND m.expires_at <= ${l.now}`),
  ];
}

/** Of the account keys $1 the dead ones that still have a living per-API key: deciding them again would revive them. */
export const stillAlive = (l: LegacyFragments, idType: string): string => sql`
  /* repair: looking for per-API keys that could not be ended */
  SELECT DISTINCT t.id::text AS key_id
  FROM ${l.target} t
    JOIN ${l.keys} k ON ${l.id()} = t.id
  WHERE t.id = ANY ($1::text[]::${idType}[]) AND t.origin_api_id IS NOT NULL
    AND NOT ${aliveTarget(l)} AND ${l.alive()}`;

/** Archived rows of a range that are alive where their account key is dead, or the reverse. */
export const archiveOutOfLine = (l: LegacyFragments, idType: string): string => sql`
  /* repair: looking for archived rows that are out of line */
  SELECT t.id::text AS key_id,
    CASE WHEN ${aliveTarget(l)} THEN 'end_account_key' ELSE 'end_per_api_key' END AS action
  FROM ${l.target} t
    JOIN ${l.keys} k ON ${l.id()} = t.id
  WHERE ${rowsInRange('t.id', idType)}
    AND t.origin_api_id IS NOT NULL
    AND ${aliveTarget(l)} <> ${l.alive()}
  ORDER BY t.id`;

/** Ends the account keys $1 whose archived row is dead. */
export const endAccountKeys = (l: LegacyFragments, idType: string): string => sql`
  /* repair: ending account keys whose archived row is dead */
  UPDATE ${l.target} t
  SET revoked_at = ${l.revokedAt()}, expires_at = ${l.expiresAt()}
  FROM ${l.keys} k
  WHERE t.id = ANY ($1::text[]::${idType}[]) AND ${l.id()} = t.id AND t.origin_api_id IS NOT NULL
    AND ${aliveTarget(l)} AND NOT ${l.alive()}
    AND ${ON_PLATFORM_PATH}`;

const OF_ATTEMPT = `b.attempt = (SELECT m.attempt FROM keylift.migration m)`;

/** Before harden: keys that a done batch copied and that are out of line go through the change log. */
export const logOutOfLine = (l: LegacyFragments): string => sql`
  /* repair: logging keys that are out of line */
  INSERT INTO keylift.change_log (key_id)
  SELECT t.id
  FROM ${l.target} t
    LEFT JOIN (
      ${l.from}
    ) ON ${l.id()} = t.id
  WHERE t.origin_api_id IS NOT NULL
    AND (
      ${l.id()} IS NULL
      OR record_image_ne(
        ${targetRow(copiedColumns(l))},
        ${sourceRow(copiedColumns(l))})
    )
  UNION
  ${notCopied(l)}`;

/** Rows that no batch will copy: their batch is done, or they are above the last one. */
const notCopied = (l: LegacyFragments): string => sql`
  SELECT ${l.id()}
  FROM (
      SELECT b.after_id, b.upto_id
      FROM keylift.batches b
      WHERE b.state = 'done' AND b.upto_id IS NOT NULL AND ${OF_ATTEMPT}
      UNION ALL
      (
        SELECT b.upto_id, NULL FROM keylift.batches b
        WHERE b.upto_id IS NOT NULL AND (b.open OR ${OF_ATTEMPT})
        ORDER BY b.upto_id DESC
        LIMIT 1
      )
    ) range
    JOIN ${l.keys} k ON (range.after_id IS NULL OR ${l.id()} > range.after_id)
      AND (range.upto_id IS NULL OR ${l.id()} <= range.upto_id)
  WHERE ${l.isPerApiKey()}
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()})
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
    AND NOT EXISTS (SELECT FROM keylift.listed_keys p WHERE p.key_id = ${l.id()})`;
