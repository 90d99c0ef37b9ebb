import type { Notice } from '../plan/notice.js';
import type { Plan } from '../plan/plan.js';
import type { Rehearsal } from '../stages/rehearse.js';
import { counted, grouped } from '../format.js';
import type { Finding } from '../surroundings/finding.js';
import { table, wrap } from './layout.js';
import { surroundingsCount, surroundingsLines } from './surroundings-text.js';

const MEANING: Record<keyof Plan['outcomes'], string> = {
  move: 'become account keys',
  stay: 'belong to custom APIs and stay as they are',
  merge: 'are answered by the account key that has their token',
  hold: 'are held back and go on as they were',
  exception: 'wait for a person and go on as they were',
};

/** Exceptions that the text of a plan lists. */
export const EXCEPTIONS_SHOWN = 20;

/** What --rehearse and --notice add. */
export interface PlanExtras {
  /** For a question: what is to be listed is counted only, so that all of it fits a screen. */
  brief?: boolean;
  rehearsal?: Rehearsal;
  notice?: Notice;
  /** What meets the tables: gates and warnings. */
  surroundings?: readonly Finding[];
}

/** The plan as a person reads it. */
export function planText(plan: Plan, { rehearsal, notice, surroundings = [], brief = false }: PlanExtras = {}): string {
  return [
    counted(plan.total, 'per-API key'),
    table(
      Object.entries(MEANING).map(([outcome, meaning]) => [
        outcome,
        plan.outcomes[outcome as keyof Plan['outcomes']],
        meaning,
      ]),
    ),
    '',
    wrap(wideningText(plan), FURTHER),
    wrap(workText(plan, rehearsal), FURTHER),
    ...(rehearsal === undefined ? [] : [wrap(rehearsalText(rehearsal), FURTHER)]),
    ...(notice === undefined
      ? []
      : [`Notice: ${counted(notice.keys, 'key')} to tell customers about, in ${notice.file}`]),
    ...(brief ? exceptionCounts(plan) : exceptionLines(plan)),
    ...(brief ? surroundingsCounts(surroundings) : surroundingsLines(surroundings)),
    '',
  ].join('\n');
}

const FURTHER = { rest: '  ' };

function wideningText({ widening: w }: Plan): string {
  const apis = w.store_apis === 1 ? 'the one store API' : `all ${grouped(w.store_apis)} store APIs`;
  return `Widening: ${counted(w.keys, 'living key')} of ${counted(w.accounts, 'account')} will open ${apis}; ${grouped(w.dormant_keys)} of them not used in 90 days.`;
}

function workText(plan: Plan, rehearsal: Rehearsal | undefined): string {
  const batches = `${grouped(plan.batches)} ${plan.batches === 1 ? 'batch' : 'batches'}`;
  const basis =
    rehearsal === undefined
      ? 'at a usual pace (plan --rehearse measures yours)'
      : 'at the pace rehearsed, one batch at a time';
  return `Work: ${batches}, about ${grouped(plan.seconds_expected)} s ${basis}.`;
}

function rehearsalText(r: Rehearsal): string {
  if (r.rows_per_second === null) return 'Rehearsal: nothing to copy.';
  return `Rehearsal: ${counted(r.rows, 'key')} in ${String(r.seconds)} s, ${grouped(r.moved)} of them copied, ${grouped(r.rows_per_second)} keys a second; rolled back.`;
}

function exceptionCounts({ exceptions_by_reason: reasons, outcomes }: Plan): string[] {
  if (outcomes.exception === 0) return [];
  const counts = Object.entries(reasons)
    .map(([reason, count]) => `${reason} ${grouped(count)}`)
    .join(', ');
  return [wrap(`Exceptions: ${counts}; keylift plan lists them.`, FURTHER)];
}

const surroundingsCounts = (surroundings: readonly Finding[]): string[] =>
  surroundings.length === 0 ? [] : [wrap(surroundingsCount(surroundings), FURTHER)];

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
