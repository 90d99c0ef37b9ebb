import type { ReadSession } from '../../database/session.js';

export type RowEvent = 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE';

/** When a trigger or a rule fires: by PostgreSQL's letter `O` ordinary, `A` always, `R` in replica sessions, `D` never. */
export type Enabled = 'O' | 'A' | 'R' | 'D';

export interface TriggerFunction {
  /** With its schema, quoted where SQL needs it. */
  name: string;
  owner: string;
  securityDefiner: boolean;
  /** Its own setting; null: it looks names up where the session does that writes. */
  searchPath: string | null;
}

/** A trigger of the platform's. Those of keylift, and those that enforce a foreign key, are left out. */
export interface Trigger {
  table: string;
  /** Quoted where SQL needs it, like every name here. */
  name: string;
  timing: 'BEFORE' | 'AFTER' | 'INSTEAD OF';
  level: 'ROW' | 'STATEMENT';
  events: RowEvent[];
  /** Columns of UPDATE OF; empty: every UPDATE. */
  columns: string[];
  /** It has a WHEN. */
  conditional: boolean;
  enabled: Enabled;
  /** A constraint trigger, which may wait for the commit. */
  isConstraint: boolean;
  deferred: boolean;
  function: TriggerFunction;
}

export interface Rule {
  table: string;
  name: string;
  event: RowEvent;
  instead: boolean;
  enabled: Enabled;
}

export interface EventTrigger {
  name: string;
  event: string;
  /** Command tags; empty: all. */
  tags: string[];
  enabled: Enabled;
  function: TriggerFunction;
}

const FUNCTION = `
    pg_catalog.json_build_object('name', pg_catalog.format('%I.%I', fn.nspname, f.proname),
      'owner', pg_catalog.pg_get_userbyid(f.proowner), 'securityDefiner', f.prosecdef,
      'searchPath', (SELECT pg_catalog.substr(s.setting, 13) FROM pg_catalog.unnest(f.proconfig) AS s (setting)
        WHERE s.setting LIKE 'search\\_path=%')) AS function`;

const TRIGGERS = `
  /* reading the triggers of the mapped tables */
  SELECT t.tgrelid::text AS table, pg_catalog.quote_ident(t.tgname) AS name,
    CASE WHEN t.tgtype & 64 > 0 THEN 'INSTEAD OF' WHEN t.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END AS timing,
    CASE WHEN t.tgtype & 1 > 0 THEN 'ROW' ELSE 'STATEMENT' END AS level,
    pg_catalog.array_remove(ARRAY[CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' END, CASE WHEN t.tgtype & 16 > 0 THEN 'UPDATE' END,
      CASE WHEN t.tgtype & 8 > 0 THEN 'DELETE' END, CASE WHEN t.tgtype & 32 > 0 THEN 'TRUNCATE' END], NULL) AS events,
    ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(t.tgattr::int2[]) AS given (attnum)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = given.attnum ORDER BY a.attnum) AS columns,
    t.tgqual IS NOT NULL AS conditional, t.tgenabled AS enabled, t.tgconstraint <> 0 AS "isConstraint",
    t.tginitdeferred AS deferred, ${FUNCTION}
  FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
  WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgparentid = 0 AND fn.nspname <> 'keylift'
  ORDER BY pg_catalog.array_position($1::oid[], t.tgrelid), t.tgname`;

const RULES = `
  /* reading the rules of the mapped tables */
  SELECT r.ev_class::text AS table, pg_catalog.quote_ident(r.rulename) AS name, r.is_instead AS instead, r.ev_enabled AS enabled,
    CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END AS event
  FROM pg_catalog.pg_rewrite r
  WHERE r.ev_class = ANY ($1::oid[]) AND r.ev_type <> '1'
  ORDER BY pg_catalog.array_position($1::oid[], r.ev_class), r.rulename`;

const EVENT_TRIGGERS = `
  /* reading the event triggers */
  SELECT pg_catalog.quote_ident(e.evtname) AS name, e.evtevent AS event, coalesce(e.evttags, '{}') AS tags, e.evtenabled AS enabled, ${FUNCTION}
  FROM pg_catalog.pg_event_trigger e
    JOIN pg_catalog.pg_proc f ON f.oid = e.evtfoid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
  ORDER BY e.evtname`;

/** @param oids of the mapped tables and their partitions */
export const readTriggers = async (session: ReadSession, oids: readonly string[]): Promise<Trigger[]> =>
  (await session.query<Trigger>(TRIGGERS, [oids])).rows;

/** @param oids of the mapped tables and their partitions */
export const readRules = async (session: ReadSession, oids: readonly string[]): Promise<Rule[]> =>
  (await session.query<Rule>(RULES, [oids])).rows;

export const readEventTriggers = async (session: ReadSession): Promise<EventTrigger[]> =>
  (await session.query<EventTrigger>(EVENT_TRIGGERS)).rows;
