import { forTerminal } from '../escaping.js';
import { counted } from '../format.js';
import type { CaseResult } from './check.js';
import { describeDifference } from './compare.js';

export type SnapshotAction = 'check' | 'update';

/** The differences of one case that the text shows; --json has all of them. */
const SHOWN = 20;

/** The result of one case: a line, and below it the differences or the error. */
export function caseText(
  result: CaseResult,
  { action, failure }: { action: SnapshotAction; failure?: string | undefined },
): string {
  const { differences } = result;
  const left = differences.length - SHOWN;
  return [
    `${resultOf(result, action).padEnd(8)}${result.case}`,
    ...(failure === undefined ? [] : failure.trimEnd().split('\n').map(indented)),
    ...differences.slice(0, SHOWN).map((difference) => indented(forTerminal(describeDifference(difference)))),
    ...(left > 0 ? [indented(`and ${String(left)} more; --json lists them`)] : []),
    '',
  ].join('\n');
}

/** All cases in one line. */
export function summaryText(results: readonly CaseResult[], action: SnapshotAction): string {
  const failed = results.filter(({ error }) => error !== undefined).length;
  const changed = results.filter(({ ok, error }) => !ok && error === undefined).length;
  const change = action === 'check' ? (changed === 1 ? 'differs' : 'differ') : 'written';
  const same = results.length - failed - changed;
  const failures = failed > 0 ? `, ${String(failed)} failed` : '';
  return `${counted(results.length, 'case')}: ${String(same)} the same, ${String(changed)} ${change}${failures}\n`;
}

function resultOf({ ok, error }: CaseResult, action: SnapshotAction): string {
  if (error !== undefined) return 'FAILED';
  if (ok) return action === 'check' ? 'ok' : 'same';
  return action === 'check' ? 'DIFFERS' : 'written';
}

const indented = (line: string): string => `          ${line}`;
