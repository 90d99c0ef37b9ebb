import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import type { Installed } from './installed.js';
import { isBegun } from './states.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { expectedTriggers, type ExpectedTrigger, type TriggerSteps } from '../mirror/expected.js';
import { FUNCTION_DIGEST } from '../mirror/note-functions.js';

/** Whether the change log or the mirror sees every write, and the resolver reads the right tables. */
export interface MirrorState {
  ok: boolean;
  /** One sentence each, without a full stop. */
  faults: string[];
}

/** $1: names of the tables that have triggers. $2: names of the tables that the view must read. */
const LOOK = sql`
  /* looking whether the mirror is on */
  SELECT
    ARRAY(SELECT s.name::text FROM keylift.knex_migrations s) AS steps,
    (
      SELECT coalesce(json_agg(json_build_object(
        'table', given.name, 'name', t.tgname, 'enabled', t.tgenabled,
        'runs', CASE WHEN p.pronamespace = 'keylift'::regnamespace THEN p.proname END)), '[]')
      FROM unnest($1::text[]) AS given (name)
        JOIN pg_catalog.pg_trigger t ON t.tgrelid = to_regclass(given.name)
        JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
      WHERE NOT t.tgisinternal AND starts_with(t.tgname::text, 'keylift_')
    ) AS triggers,
    ARRAY(
      SELECT f.name::text
      FROM keylift.installed_functions f
      WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname = f.name AND ${FUNCTION_DIGEST} = f.digest
      )
      ORDER BY 1
    ) AS replaced,
    to_regclass('keylift.per_api_keys') IS NOT NULL AS has_view,
    ARRAY(
      SELECT given.name
      FROM unnest($2::text[]) AS given (name)
      WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_rewrite r
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass
        WHERE r.ev_class = to_regclass('keylift.per_api_keys') AND d.refobjid = to_regclass(given.name)
      )
    ) AS unread,
    ARRAY(
      SELECT given.name
      FROM unnest($1::text[]) AS given (name)
      WHERE EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = to_regclass(given.name))
    ) AS subscribed,
    ARRAY(
      SELECT DISTINCT coalesce('role ' || r.rolname, 'database ' || current_database())
      FROM pg_catalog.pg_db_role_setting s
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
      WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
        AND 'session_replication_role=replica' = ANY (s.setconfig)
      ORDER BY 1
    ) AS replicas`;

/** What the catalog says. */
export interface MirrorLook {
  steps: string[];
  triggers: { table: string; name: string; enabled: string; runs: string | null }[];
  /** Functions that are not as keylift installed them. */
  replaced: string[];
  has_view: boolean;
  /** Tables that the view does not read. */
  unread: string[];
  subscribed: string[];
  replicas: string[];
}

/** What the names of the completed steps say. */
export const triggerSteps = (steps: ReadonlySet<string>): TriggerSteps => ({
  changeLog: steps.has('05_change_log'),
  mirror: steps.has('09_mirror'),
  archive: steps.has('13_archive'),
  mirrorOff: steps.has('14_mirror_off'),
});

/** Decides from the catalog alone. Pure. */
export function mirrorState(schema: MappedSchema, look: MirrorLook): MirrorState {
  const steps = triggerSteps(new Set(look.steps));
  if (!steps.changeLog) return { ok: true, faults: [] };
  const faults = [
    ...expectedTriggers(schema, steps).flatMap((expected) => triggerFaults(expected, look)),
    ...look.replaced.map((name) => `function keylift.${name} is not the one that keylift installed`),
    ...(look.has_view ? [] : ['the view keylift.per_api_keys is missing']),
    ...(look.has_view ? look.unread.map((table) => `the view keylift.per_api_keys does not read ${table}`) : []),
    ...look.subscribed.map((table) => `a subscription writes to ${table}, and fires no trigger of a statement`),
    ...look.replicas.map((who) => `session_replication_role is replica for the ${who}, so its writes fire no trigger`),
  ];
  return { ok: faults.length === 0, faults };
}

function triggerFaults({ table, name, runs }: ExpectedTrigger, { triggers }: MirrorLook): string[] {
  const found = triggers.find((trigger) => trigger.table === table && trigger.name === name);
  const trigger = `trigger ${name} of ${table}`;
  if (found === undefined) return [`${trigger} is missing`];
  return [
    ...(found.enabled === 'O' || found.enabled === 'A' ? [] : [`${trigger} is disabled`]),
    ...(found.runs === runs ? [] : [`${trigger} does not run keylift.${runs}`]),
  ];
}

/** True while triggers should carry or record changes: from expand on, unless a rollback has begun. */
const isExpected = ({ state }: Installed): boolean =>
  isBegun(state) && state.state !== 'rolling_back' && state.state !== 'restoring';

/** Looks whether the mirror (before harden: the change log) is on. Null where it need not be. */
export async function readMirror(
  session: ReadSession,
  schema: MappedSchema,
  installed: Installed,
): Promise<MirrorState | null> {
  if (!isExpected(installed)) return null;
  const { legacy: l, partitions } = schema;
  const triggered = [l.keys, ...partitions.map((part) => part.table), l.target];
  return mirrorState(schema, await session.one<MirrorLook>(LOOK, [triggered, [l.keys, l.apis, l.target]]));
}

/** The error of a command that needs the mirror. */
export const mirrorOff = ({ faults }: MirrorState): KeyliftError =>
  keyliftError('mirror_off', {
    message: `changes of one table do not all reach the other: ${faults[0] ?? ''}`,
    facts: { faults },
  });
