import { counted, grouped } from '../format.js';
import type { Lists } from '../plan/lists/write.js';
import type { Excluded } from '../plan/excluded.js';
import type { Plan } from '../plan/plan.js';
import type { Rehearsal } from '../stages/rehearse.js';
import type { Finding } from '../surroundings/finding.js';
import { table, wrap } from './layout.js';
import { surroundingsCount, surroundingsLines } from './surroundings-text.js';
import { writtenLines } from './written-text.js';

const MEANINGS: Record<keyof Plan['outcomes'], string> = {
  move: 'become account keys',
  stay: 'belong to custom APIs and stay as they are',
  merge: 'are answered by the account key that has their token',
  hold: 'are on hold and work as before',
  exception: 'wait for a person and work as before',
};

/** Exceptions that the text of a plan lists. */
export const EXCEPTIONS_SHOWN = 20;

export interface PlanExtras extends Lists {
  /** For a question: exceptions are counted only, so that the text fits on a screen. */
  brief?: boolean;
  rehearsal?: Rehearsal;
  /** Batches at once, where the operator set them. */
  atOnce?: number;
  saved?: { file: string };
  /** Rows that `where` keeps out. */
  excluded?: Excluded;
  /** What meets the tables: gates and warnings. */
  surroundings?: readonly Finding[];
}

/** The plan, with the results of the flags. */
export function planText(plan: Plan, extras: PlanExtras = {}): string {
  const { rehearsal, surroundings = [], brief = false } = extras;
  return [
    counted(plan.total, 'per-API key'),
    outcomeTable(plan),
    ...excludedLines(extras),
    '',
    wrap(wideningText(plan), INDENTED),
    wrap(workText(plan, extras), INDENTED),
    ...(rehearsal === undefined ? [] : [wrap(rehearsalText(rehearsal), INDENTED)]),
    ...writtenLines(extras),
    ...(brief ? exceptionCounts(plan) : exceptionLines(plan)),
    ...(brief ? surroundingsCounts(surroundings) : surroundingsLines(surroundings)),
    '',
  ].join('\n');
}

const INDENTED = { rest: '  ' };

const outcomeTable = ({ outcomes }: Plan): string =>
  table(
    Object.entries(MEANINGS).map(([outcome, meaning]) => [
      outcome,
      outcomes[outcome as keyof typeof outcomes],
      meaning,
    ]),
  );

function excludedLines({ excluded, brief = false }: PlanExtras): string[] {
  if (excluded === undefined || brief) return [];
  const { rows, without_api: withoutApi } = excluded;
  const text = `Kept out by where: ${counted(rows, 'row')}, ${grouped(withoutApi)} of them without an API.`;
  return ['', wrap(text, INDENTED)];
}

function wideningText({ widening: w }: Plan): string {
  const apis =
    w.most_apis !== undefined
      ? `every API of their own account (${grouped(w.most_apis)} at most, ${grouped(w.store_apis)} in all)`
      : w.store_apis === 1
        ? 'the one store API'
        : `all ${grouped(w.store_apis)} store APIs`;
  const keys = `${counted(w.keys, 'living key')} of ${counted(w.accounts, 'account')}`;
  return `Widening: ${keys} will open ${apis}; ${grouped(w.dormant_keys)} of them not used in 90 days.`;
}

function workText(plan: Plan, { rehearsal, atOnce }: PlanExtras): string {
  const batches = atOnce === undefined || atOnce === 1 ? 'one batch at a time' : `${String(atOnce)} batches at once`;
  const basis =
    rehearsal === undefined ? 'at a usual pace (plan --rehearse measures yours)' : `at the pace rehearsed, ${batches}`;
  return `Work: ${counted(plan.batches, 'batch', 'batches')}, about ${grouped(plan.seconds_expected)} s ${basis}.`;
}

function rehearsalText({ rows, rows_per_second: rate, seconds, moved }: Rehearsal): string {
  if (rate === null) return 'Rehearsal: nothing to copy.';
  const keys = `${counted(rows, 'key')} in ${String(seconds)} s, ${grouped(moved)} of them copied`;
  return `Rehearsal: ${keys}, ${grouped(rate)} keys a second; rolled back.`;
}

function exceptionCounts({ exceptions_by_reason: reasons, outcomes }: Plan): string[] {
  if (outcomes.exception === 0) return [];
  const counts = Object.entries(reasons)
    .map(([reason, count]) => `${reason} ${grouped(count)}`)
    .join(', ');
  return [wrap(`Exceptions: ${counts}; keylift plan lists them.`, INDENTED)];
}

const surroundingsCounts = (surroundings: readonly Finding[]): string[] =>
  surroundings.length === 0 ? [] : [wrap(surroundingsCount(surroundings), INDENTED)];

function exceptionLines(plan: Plan): string[] {
  if (plan.outcomes.exception === 0) return [];
  const left = plan.outcomes.exception - Math.min(EXCEPTIONS_SHOWN, plan.exceptions.length);
  return [
    '',
    'Exceptions (runbook.md#exceptions):',
    table(Object.entries(plan.exceptions_by_reason).map(([reason, count]) => [reason, count])),
    table(
      plan.exceptions.slice(0, EXCEPTIONS_SHOWN).map((e) => [`key ${e.key_id}`, e.reason]),
      { indent: '    ' },
    ),
    ...(left > 0 ? [`    and ${grouped(left)} more; --json lists them`] : []),
  ];
}
