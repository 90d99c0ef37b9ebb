import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';

/** What keylift does to whole rows of the legacy table. */
export type RowEvent = 'DELETE' | 'INSERT';

/** What the operator decides about the platform's triggers on rows that keylift deletes or restores. */
export const TRIGGER_DECISIONS = ['fire', 'skip'] as const;
export type TriggerDecision = (typeof TRIGGER_DECISIONS)[number];

/** A trigger that a statement on the legacy table meets, of the table itself or of a table below it. */
export interface MetTrigger {
  /** As in SQL. */
  table: string;
  /** Quoted where SQL needs it. */
  name: string;
  timing: string;
  /** `O` ordinary, `A` always, `R` in replica sessions only. */
  enabled: 'O' | 'A' | 'R';
  /** It enforces a foreign key or a deferrable unique constraint; else it is the platform's. */
  enforces: boolean;
  /** It fires in a session like this one. */
  fires: boolean;
}

/** Bits of `pg_trigger.tgtype`. */
const EVENT_BIT: Record<RowEvent, number> = { INSERT: 4, DELETE: 8 };

/** `table` is an expression of type regclass. Disabled triggers and those of keylift are left out. */
export const metTriggers = (table: string, event: RowEvent): string => sql`
  WITH RECURSIVE tree AS (
    SELECT (${table})::oid AS oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid
  )
  SELECT t.tgrelid::regclass::text AS table, quote_ident(t.tgname) AS name, t.tgenabled AS enabled,
    concat(
      CASE WHEN t.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END, ' ${event} FOR EACH ',
      CASE WHEN t.tgtype & 1 > 0 THEN 'ROW' ELSE 'STATEMENT' END) AS timing,
    c.contype IS NOT NULL AND c.contype <> 't' AS enforces,
    t.tgenabled = 'A'
      OR (t.tgenabled = 'R') = (current_setting('session_replication_role') = 'replica') AS fires
  FROM tree
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.oid
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    LEFT JOIN pg_catalog.pg_constraint c ON c.oid = t.tgconstraint
  WHERE t.tgtype & ${EVENT_BIT[event]} > 0 AND t.tgenabled <> 'D'
    AND p.pronamespace IS DISTINCT FROM to_regnamespace('keylift')
    -- A statement fires the statement triggers of the table that it names alone.
    AND (t.tgtype & 1 > 0 OR t.tgrelid = (${table}))
  ORDER BY 1, 2`;

/** The triggers that a statement of this event on the legacy table meets. */
export const readMetTriggers = async (session: ReadSession, table: string, event: RowEvent): Promise<MetTrigger[]> =>
  (
    await session.query<MetTrigger>(
      `/* reading the triggers of the legacy table */ ${metTriggers('$1::regclass', event)}`,
      [table],
    )
  ).rows;

/** The platform's triggers that fire in a session like this one. */
export const firingTriggers = (met: readonly MetTrigger[]): MetTrigger[] =>
  met.filter(({ enforces, fires }) => fires && !enforces);
