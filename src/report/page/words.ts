import type { Fate } from '../facts/document.js';
import { counted, elapsed, grouped } from '../../console/text.js';
import { html, type Html } from './html.js';

/** Fates in the order in which they are drawn, with their words. */
export const FATES: readonly { fate: Fate; word: string; means: string }[] = [
  { fate: 'move', word: 'moved', means: 'an account key now, under its own id' },
  { fate: 'merge', word: 'merged', means: 'same token, account and life as an account key that answers for it, too' },
  { fate: 'stay', word: 'stays', means: "a custom API's key, not part of this" },
  { fate: 'hold', word: 'held', means: 'held back by an operator; goes on as it was' },
  { fate: 'exception', word: 'exception', means: 'waits for a person; goes on as it was' },
  { fate: 'to_come', word: 'to come', means: 'not judged yet' },
];

/** `2026-11-24 05:42:10`, UTC. */
export const clock = (iso: string): string => iso.slice(0, 19).replace('T', ' ');

export const time = (iso: string): Html => html`<time datetime="${iso}">${clock(iso)}</time>`;

/** A share of a whole as people read it: never 0% of something, never 100% of less than all. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '0%';
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 0.1) return '<0.1%';
  if (part < whole && percent > 99.9) return '>99.9%';
  return `${String(Math.round(percent * 10) / 10)}%`;
}

type Facts = Record<string, unknown>;

const number = (value: unknown): string => grouped(Number(value ?? 0));

/** Whom a switch was about. */
function scope(value: unknown): string {
  const { kind, perMillion, accounts } = (value ?? {}) as { kind?: string; perMillion?: number; accounts?: number };
  if (kind === 'cohort') return `a cohort of ${String((perMillion ?? 0) / 10_000)}% of the accounts`;
  return kind === 'accounts' ? `${counted(accounts ?? 0, 'account')} named one by one` : 'every account';
}

function tuning(facts: Facts): string {
  const words: Record<string, string> = {
    concurrency: 'batches at once',
    batch_time: 's a batch',
    max_lag: 's of lag at most',
  };
  return Object.entries(facts)
    .map(([name, value]) => `${value === null ? 'its own' : String(value)} ${words[name] ?? name}`)
    .join(', ');
}

const SENTENCES: Record<string, (facts: Facts) => string> = {
  stage_completed: ({ stage, seconds }) => `${String(stage)} completed in ${elapsed(Number(seconds))}`,
  holds: ({ keys, accounts }) => `holds taken: ${number(keys)} keys and ${number(accounts)} accounts by name`,
  accounts_released: ({ accounts }) => `${number(accounts)} accounts that had been taken back are in again`,
  accounts_rolled_back: ({ accounts }) =>
    `${number(accounts)} accounts taken back by name; they are held until the next migrate`,
  switched: (facts) => `switched ${scope(facts.scope)}: answered from Settings`,
  switched_back: (facts) => `switched back ${scope(facts.scope)}: answered by per-API keys`,
  rollback_started: () => 'rollback begun',
  rolled_back: ({ removed }) =>
    `taken back: ${number(removed)} account keys left the new table, every account is on its per-API keys`,
  finalize_started: () => 'finalize begun',
  finalized: () => 'finalized: the moved per-API rows are in the archive',
  purged: ({ archived }) => `the archive of ${number(archived)} per-API rows was purged: no way back from here`,
  paused: () => 'paused by an operator',
  resumed: () => 'resumed by an operator',
  tuned: (facts) => `tuned by an operator: ${tuning(facts)}`,
};

/** An event of the audit trail, as a sentence. */
export const sentence = (kind: string, facts: Facts): string => SENTENCES[kind]?.(facts) ?? kind.replaceAll('_', ' ');

const EXITS: Record<number, string> = {
  0: 'done',
  1: 'unexpected error',
  2: 'usage or configuration',
  3: 'refused',
  4: 'differences',
  5: 'work left',
  6: 'done, exceptions wait',
  130: 'interrupted',
};

/** An exit code with its meaning. */
export const exit = (code: number): string => `${String(code)} ${EXITS[code] ?? ''}`.trim();
