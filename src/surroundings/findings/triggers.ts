import type { Settings } from '../../config/settings.js';
import type { MappedTable } from '../catalog/tables.js';
import type { Enabled, EventTrigger, Trigger } from '../catalog/triggers.js';
import { fine, gate, listed, warning, type Finding, type Judge } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';
import { phasesOf, textOfWrites, writesThatMeet } from './writes.js';

type Frozen<T> = { readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? readonly E[] : T[K] };

const NEVER_FIRES: Partial<Record<Enabled, string>> = { D: 'disabled', R: 'fires in replica sessions only' };

/** Triggers on the mapped tables: what keylift's writes make them do. */
export const judgeTriggers: Judge = (around, settings) =>
  around.triggers.flatMap((trigger) => judgeTrigger(trigger, { around, settings }));

function judgeTrigger(
  trigger: Frozen<Trigger>,
  { around, settings }: { around: FrozenSurroundings; settings: Settings },
): Finding[] {
  const table = around.tables.find(({ oid }) => oid === trigger.table)!;
  const writes =
    NEVER_FIRES[trigger.enabled] === undefined
      ? writesThatMeet({ on: table.section, events: trigger.events, columns: trigger.columns }, settings)
      : [];
  const parts = { kind: 'trigger' as const, object: `trigger ${trigger.name} on ${table.name}`, fact: factOf(trigger) };
  if (writes.length === 0) return [fine({ ...parts, meets: 'no write of keylift fires it', phases: [] })];
  const meets = { ...parts, meets: textOfWrites(writes), phases: phasesOf(writes) };
  const doubts = doubtsAbout(
    trigger,
    writes.some(({ inBulk }) => inBulk === true),
  );
  return [doubts.length === 0 ? fine(meets) : warning(doubts.join('; '), meets), ...gatesOf(trigger, { table, parts })];
}

function factOf(trigger: Frozen<Trigger>): string {
  const events = trigger.events.map((event) =>
    event === 'UPDATE' && trigger.columns.length > 0 ? `UPDATE OF ${trigger.columns.join(', ')}` : event,
  );
  const never = NEVER_FIRES[trigger.enabled];
  return [
    `${trigger.timing} ${events.join(' OR ')} FOR EACH ${trigger.level}${trigger.conditional ? ' WHEN ...' : ''}`,
    ...(trigger.isConstraint ? [trigger.deferred ? 'at the commit' : 'a constraint trigger'] : []),
    runs(trigger.function),
    ...(trigger.enabled === 'A' ? ['fires in replica sessions, too'] : []),
    ...(never === undefined ? [] : [never]),
  ].join(', ');
}

const runs = ({ name, owner, securityDefiner, searchPath }: Frozen<Trigger>['function']): string =>
  `runs ${name}() ${securityDefiner ? `with the rights of ${owner}` : 'with the rights of the writer'}, ${
    searchPath === null ? 'on the search path of the session' : `on the search path ${searchPath}`
  }`;

/** What the operator must look at before keylift's writes fire the trigger. */
function doubtsAbout({ timing, level, function: run }: Frozen<Trigger>, inBulk: boolean): string[] {
  return [
    ...(timing === 'AFTER' || level === 'STATEMENT'
      ? []
      : ['read the function: it must return a row that has all its values as it is, or the row differs afterwards']),
    ...(run.searchPath === null
      ? [`give the function a search path of its own: ALTER FUNCTION ${run.name}() SET search_path = ...`]
      : []),
    ...(inBulk && level === 'ROW' ? ['expect it to run for many rows in one statement'] : []),
  ];
}

/** Rows that finalize deletes and a rollback restores are not the platform's deletes and inserts. */
function gatesOf(
  trigger: Frozen<Trigger>,
  { table, parts }: { table: Frozen<MappedTable>; parts: Pick<Finding, 'kind' | 'object' | 'fact'> },
): Finding[] {
  if (table.section !== 'keys') return [];
  const wayOut = `ALTER TABLE ${table.name} DISABLE TRIGGER ${trigger.name}, run the command, then enable it again`;
  return [
    ...(trigger.events.includes('DELETE')
      ? [
          gate('delete_triggers', wayOut, {
            ...parts,
            meets: 'finalize deletes the rows that it archives, and no customer deletes a key',
            phases: ['finalize'],
          }),
        ]
      : []),
    ...(trigger.events.includes('INSERT')
      ? [
          gate('insert_triggers', wayOut, {
            ...parts,
            meets: 'a rollback after finalize inserts the archived rows, and no customer makes a key',
            phases: ['rollback'],
          }),
        ]
      : []),
  ];
}

/** Rules rewrite keylift's statements; a statement with RETURNING or a WITH cannot be rewritten at all. */
export const judgeRules: Judge = (around, settings) =>
  around.rules.map((rule) => {
    const table = around.tables.find(({ oid }) => oid === rule.table)!;
    const writes = writesThatMeet({ on: table.section, events: [rule.event], columns: [] }, settings);
    const parts = {
      kind: 'rule' as const,
      object: `rule ${rule.name} on ${table.name}`,
      fact: `ON ${rule.event} DO ${rule.instead ? 'INSTEAD' : 'ALSO'}${rule.enabled in NEVER_FIRES ? `, ${NEVER_FIRES[rule.enabled]!}` : ''}`,
    };
    if (writes.length === 0 || rule.enabled in NEVER_FIRES)
      return fine({ ...parts, meets: 'no write of keylift is rewritten by it', phases: [] });
    const wayOut = `replace the rule by a trigger, or DROP RULE ${rule.name} ON ${table.name}`;
    return gate('rules', wayOut, {
      ...parts,
      meets: `it rewrites statements of keylift: ${textOfWrites(writes)}`,
      phases: ['expand', ...phasesOf(writes)],
    });
  });

const DDL_EVENTS = ['ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite'];

/** Event triggers run with keylift's DDL, and their failure is the failure of a step. */
export const judgeEventTriggers: Judge = ({ eventTriggers }) =>
  eventTriggers.map((trigger) => {
    const tags = trigger.tags.length === 0 ? '' : ` WHEN TAG IN (${listed(trigger.tags)})`;
    const never = NEVER_FIRES[trigger.enabled];
    const parts = {
      kind: 'event_trigger' as const,
      object: `event trigger ${trigger.name}`,
      fact: `ON ${trigger.event}${tags}, ${runs(trigger.function)}${never === undefined ? '' : `, ${never}`}`,
    };
    if (never !== undefined) return fine({ ...parts, meets: 'no statement of keylift fires it', phases: [] });
    if (!DDL_EVENTS.includes(trigger.event))
      return fine({ ...parts, meets: 'it fires when keylift connects, as for every session', phases: ['expand'] });
    return warning(`read the function: an error in it rolls a step back${pathAdvice(trigger)}`, {
      ...parts,
      meets: 'it runs with the DDL of keylift',
      phases: ['expand', 'harden', 'finalize', 'rollback'],
    });
  });

const pathAdvice = ({ function: { name, searchPath } }: Frozen<EventTrigger>): string =>
  searchPath === null ? `; give it a search path of its own: ALTER FUNCTION ${name}() SET search_path = ...` : '';
