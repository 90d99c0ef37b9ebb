import { dropFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { finalTriggerFunctions } from './archive-triggers.js';
import { changeLogFunctions, changeLogTriggers, dropChangeLogTriggers } from './change-log.js';
import type { TriggerSteps } from './expected.js';
import {
  dropGuardTriggers,
  guardFunctions,
  guardRowsInserted,
  guardStatementsInserted,
  guardTriggers,
} from './guards.js';
import { createMirrorNumber, mirrorFunctions, settleFunctions } from './install.js';
import { refuseTruncate } from './legacy-triggers.js';
import { noteFunctions } from './note-functions.js';
import { checkToken } from './target-triggers.js';
import {
  archiveTriggers,
  checkEveryToken,
  dropArchiveTriggers,
  dropMirrorTriggers,
  dropPermanentTriggers,
  mirrorTriggers,
  permanentTriggers,
} from './triggers.js';

/**
 * Installs the triggers and functions of these steps once more, in one transaction under the locks that CREATE TRIGGER
 * needs: no writer is between the old ones and the new ones.
 */
export function installAgain(schema: MappedSchema, steps: TriggerSteps): Statement[] {
  const functions = functionsOf(schema, steps);
  return [
    lockBoth(schema),
    dropMirrorTriggers(schema),
    dropChangeLogTriggers(schema),
    dropPermanentTriggers(schema),
    dropGuardTriggers(schema),
    { title: 'drop the triggers of the archive', text: dropArchiveTriggers(schema) },
    { title: 'drop the functions', text: functions.map(dropFunction).join('\n') },
    ...functions,
    ...triggersOf(schema, steps),
    ...(steps.mirror ? [nextNumber()] : []),
    noteFunctions(functions),
  ];
}

const lockBoth = ({ legacy: l }: MappedSchema): Statement => ({
  title: 'lock both tables',
  text: sql`
    LOCK TABLE ${l.keys} IN ACCESS EXCLUSIVE MODE;
    LOCK TABLE ${l.target} IN ACCESS EXCLUSIVE MODE;`,
});

const functionsOf = (schema: MappedSchema, { mirror, archive }: TriggerSteps): InstalledFunction[] => [
  ...changeLogFunctions(schema),
  checkToken(schema),
  ...guardFunctions(schema),
  refuseTruncate(),
  ...(mirror ? [...settleFunctions(schema), ...mirrorFunctions(schema)] : []),
  ...(archive ? finalTriggerFunctions(schema) : []),
];

const triggersOf = (schema: MappedSchema, { mirror, archive, mirrorOff }: TriggerSteps): Statement[] => [
  ...(mirror ? [] : changeLogTriggers(schema)),
  ...(mirror && !mirrorOff ? mirrorTriggers(schema) : []),
  ...permanentTriggers(schema),
  ...(mirrorOff ? [checkEveryToken(schema)] : []),
  guardTriggers(schema),
  mirror ? guardStatementsInserted(schema) : guardRowsInserted(schema),
  ...(archive ? [archiveTriggers(schema)] : []),
];

/** A transaction that read the database before this one is turned away: changes may be missing in its snapshot. */
const nextNumber = (): Statement => ({
  title: 'the mirror has another number',
  text: sql`
    UPDATE keylift.migration SET mirror = mirror + 1;
    ${createMirrorNumber().text}`,
});
