import { counted } from '../format.js';
import type { Finding, Severity } from '../surroundings/finding.js';
import { bySeverity } from '../surroundings/findings.js';
import { wrap } from './layout.js';

const HEADINGS: Record<Severity, string> = {
  gate: 'Around the tables, what keylift refuses:',
  warning: 'Around the tables, what to look at:',
  fine: 'Around the tables, what needs nothing:',
};

/** Findings that a plan lists. */
const MOST_LISTED = 20;

/** Every finding with what keylift does and the way out, gates first. */
export const surroundingsText = (findings: readonly Finding[]): string[] =>
  (['gate', 'warning', 'fine'] as const).flatMap((severity) => {
    const group = bySeverity(findings, severity);
    return group.length === 0 ? [] : ['', HEADINGS[severity], ...group.flatMap(linesOf)];
  });

function linesOf({ object, fact, meets, phases, way_out: wayOut }: Finding): string[] {
  const further = (text: string): string => wrap(text, { first: '    ', rest: '    ' });
  return [
    wrap(`${object}: ${fact}${inPhases(phases)}`, { first: '  ', rest: '    ' }),
    further(meets),
    ...(wayOut === null ? [] : [further(`-> ${wayOut}`)]),
  ];
}

const inPhases = (phases: Finding['phases']): string => (phases.length === 0 ? '' : ` (${phases.join(', ')})`);

/** One line for each finding that a person must look at. `keylift check` explains them. */
export function surroundingsLines(findings: readonly Finding[]): string[] {
  const concerns = findings.filter(({ severity }) => severity !== 'fine');
  if (concerns.length === 0) return [];
  const left = concerns.length - MOST_LISTED;
  return [
    '',
    surroundingsCount(concerns),
    ...concerns
      .slice(0, MOST_LISTED)
      .map(({ severity, object, phases }) =>
        wrap(`${severity.padEnd(7)}  ${object}${inPhases(phases)}`, { first: '  ', rest: '    ' }),
      ),
    ...(left > 0 ? [`    and ${String(left)} more`] : []),
  ];
}

/** `Around the tables: 1 gate, 2 warnings; keylift check explains them.` */
export function surroundingsCount(findings: readonly Finding[]): string {
  const counts = [
    counted(bySeverity(findings, 'gate').length, 'gate'),
    counted(bySeverity(findings, 'warning').length, 'warning'),
  ];
  return `Around the tables: ${counts.join(', ')}; keylift check explains them.`;
}
