import { forTerminal } from '../escaping.js';
import { grouped } from '../format.js';
import type { RepairReport } from '../repair/repair.js';
import { table, wrap } from './layout.js';
import { proofText } from './proof-text.js';

const KEYS_SHOWN = 20;

const MEANS = {
  end_per_api_key: 'living per-API keys that end, as their account key is dead',
  end_account_key: 'living account keys that end, as their per-API key is dead',
  decide_again: 'keys whose account key or outcome is decided again from the legacy table',
} as const;

/** What `repair` found and did, or would do. */
export function repairText(report: RepairReport): string {
  const { repaired, mirror, found, keys, proof } = report;
  const total = Object.values(found).reduce((sum, count) => sum + count, 0);
  const faults = mirror?.faults ?? [];
  return [
    wrap(headline(report, { total, faults: faults.length }), { rest: '  ' }),
    ...faults.map((fault) => wrap(`mirror: ${forTerminal(fault)}`, { first: '  ', rest: '    ' })),
    ...(total === 0
      ? []
      : [table(Object.entries(MEANS).map(([action, means]) => [action, found[action as keyof typeof MEANS], means]))]),
    ...keys.slice(0, KEYS_SHOWN).map((key) => `  key ${forTerminal(key.key_id)}: ${key.action}`),
    ...(total > KEYS_SHOWN ? [`  and ${grouped(total - KEYS_SHOWN)} more; --json lists up to 100`] : []),
    ...(repaired && proof === null ? ['  harden applies the change log, and the proof follows it.'] : []),
    ...(proof === null ? [] : [proofText(proof).trimEnd()]),
    '',
  ].join('\n');
}

function headline({ repaired }: RepairReport, { total, faults }: { total: number; faults: number }): string {
  if (faults + total === 0) return 'Nothing is out of line.';
  const what = faults === 0 ? 'keys' : total === 0 ? 'the mirror' : 'the mirror and keys';
  return repaired ? `Repaired ${what}.` : `Repair would mend ${what}:`;
}
