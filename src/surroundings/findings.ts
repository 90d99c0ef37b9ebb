import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { foreignApis } from './foreign-apis.js';
import { judgeDefaultPrivileges, judgePrivileges, judgeRowSecurity } from './findings/access.js';
import { judgeForeignKeys } from './findings/foreign-keys.js';
import { judgePublications, judgeStandbys, judgeSubscriptions } from './findings/replication.js';
import { judgeConnections, judgeEncoding, judgePrepared, judgeSettings } from './findings/settings.js';
import { judgePartitions, judgeReaders, judgeShapes } from './findings/tables.js';
import { judgeEventTriggers, judgeRules, judgeTriggers } from './findings/triggers.js';
import { SEVERITIES, type Finding, type Judge, type Severity } from './finding.js';
import { readSurroundings, type FrozenSurroundings } from './read.js';

const JUDGES: readonly Judge[] = [
  judgeShapes,
  judgeTriggers,
  judgeRules,
  judgeEventTriggers,
  judgeForeignKeys,
  judgeRowSecurity,
  judgePrivileges,
  judgeDefaultPrivileges,
  judgePublications,
  judgeSubscriptions,
  judgePartitions,
  judgeReaders,
  judgeEncoding,
  judgeSettings,
  judgeConnections,
  judgePrepared,
  judgeStandbys,
];

/** What everything that meets the mapped tables means for the migration, gates first. Reads nothing but its arguments. */
export function findingsOf(around: FrozenSurroundings, settings: Settings): Finding[] {
  const rank = ({ severity }: Finding): number => -SEVERITIES.indexOf(severity);
  return JUDGES.flatMap((judge) => judge(around, settings)).sort((a, b) => rank(a) - rank(b));
}

/** What a person must look at before the migration: gates and warnings. */
export async function concerns(session: ReadSession, schema: MappedSchema): Promise<Finding[]> {
  const { settings } = schema;
  const around = findingsOf(await readSurroundings(session, settings), settings);
  return [...(await foreignApis(session, schema)), ...around.filter(({ severity }) => severity !== 'fine')];
}

/** Findings of this severity. */
export const bySeverity = (findings: readonly Finding[], severity: Severity): Finding[] =>
  findings.filter((finding) => finding.severity === severity);
