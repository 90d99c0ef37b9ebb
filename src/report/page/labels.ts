import { EXIT_LABELS } from '../../errors/exit-codes.js';
import { counted, elapsed, grouped } from '../../format.js';
import type { ReportOutcome } from '../facts/document.js';
import { html, type Html } from './html.js';

/** Outcomes in the order in which the page draws them, with their labels. */
export const OUTCOMES: readonly { outcome: ReportOutcome; label: string; means: string }[] = [
  { outcome: 'move', label: 'moved', means: 'an account key now, with the same id' },
  { outcome: 'merge', label: 'merged', means: 'same token, account and life as an account key, which answers for it' },
  { outcome: 'stay', label: 'stays', means: 'a key of a custom API; the migration does not change it' },
  { outcome: 'hold', label: 'on hold', means: 'an operator has put it on hold; works as before' },
  { outcome: 'exception', label: 'exception', means: 'waits for a person; works as before' },
  { outcome: 'to_come', label: 'to come', means: 'has no outcome yet' },
];

/** `2026-11-24 05:42:10`, UTC. */
export const clock = (iso: string): string => iso.slice(0, 19).replace('T', ' ');

export const time = (iso: string): Html => html`<time datetime="${iso}">${clock(iso)}</time>`;

/** A share in percent. A part that is not empty is never 0%, and a part that is not the whole is never 100%. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '0%';
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 0.1) return '<0.1%';
  if (part < whole && percent > 99.9) return '>99.9%';
  return `${String(Math.round(percent * 10) / 10)}%`;
}

type Facts = Record<string, unknown>;

const number = (value: unknown): string => grouped(Number(value ?? 0));

/** The accounts that a switch was about. */
function scope(value: unknown): string {
  const { kind, perMillion, accounts } = (value ?? {}) as { kind?: string; perMillion?: number; accounts?: number };
  if (kind === 'cohort') return `a cohort of ${String((perMillion ?? 0) / 10_000)}% of the accounts`;
  return kind === 'accounts' ? `${counted(accounts ?? 0, 'account')} from a list` : 'every account';
}

const TUNED: Record<string, { label: string; unit: string }> = {
  concurrency: { label: 'batches at once', unit: '' },
  batch_time: { label: 'batch time', unit: ' s' },
  batch_size: { label: 'rows of a batch at most', unit: '' },
  max_lag: { label: 'replica lag at most', unit: ' s' },
  max_active: { label: 'active sessions at most', unit: '' },
  throttle_query: { label: 'throttle query', unit: '' },
  throttle_url: { label: 'throttle URL', unit: '' },
  max_latency: { label: 'key lookups at most', unit: ' s' },
};

function tuning(facts: Facts): string {
  return Object.entries(facts)
    .map(([name, value]) => {
      const { label, unit } = TUNED[name] ?? { label: name, unit: '' };
      if (value === null) return `${label} as on the command line`;
      return value === 'none' ? `${label}: lifted` : `${label} ${String(value)}${unit}`;
    })
    .join(', ');
}

const SENTENCES: Record<string, (facts: Facts) => string> = {
  stage_completed: ({ stage, seconds }) => `${String(stage)} completed in ${elapsed(Number(seconds))}`,
  holds: ({ keys, accounts }) => `holds read: ${number(keys)} keys and ${number(accounts)} accounts`,
  accounts_released: ({ accounts }) => `${number(accounts)} accounts that were rolled back take part again`,
  accounts_rolled_back: ({ accounts }) =>
    `${number(accounts)} accounts rolled back; they stay on hold until the next migrate`,
  switched: (facts) => `switched ${scope(facts.scope)}: answered from Settings`,
  switched_back: (facts) => `switched back ${scope(facts.scope)}: answered by per-API keys`,
  rollback_started: () => 'rollback started',
  rolled_back: ({ removed }) =>
    `rolled back: ${number(removed)} account keys removed, every account is on its per-API keys`,
  finalize_started: () => 'finalize started',
  finalized: () => 'finalized: the moved per-API rows are in the archive',
  purged: ({ archived }) => `purged: the archive of ${number(archived)} per-API rows is deleted; no rollback from here`,
  paused: () => 'paused by an operator',
  resumed: () => 'resumed by an operator',
  tuned: (facts) => `tuned by an operator: ${tuning(facts)}`,
};

/** An event of the ledger as a sentence. */
export const sentence = (kind: string, facts: Facts): string => SENTENCES[kind]?.(facts) ?? kind.replaceAll('_', ' ');

/** An exit code with its meaning. */
export const exit = (code: number): string =>
  `${String(code)} ${(EXIT_LABELS as Record<number, string>)[code] ?? ''}`.trim();
