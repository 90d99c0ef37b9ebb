import { forTerminal } from '../escaping.js';
import type { Difference, Proof } from '../proof/document.js';
import { grouped } from '../format.js';
import { table } from './layout.js';

const SHOWN = 20;

/** The proof's counters and its first differences as a person reads them. */
export function proofText(proof: Proof): string {
  const { keys: k, authorization: a } = proof;
  return [
    proof.ok ? 'Proof: no difference.' : 'Proof: DIFFERENCES FOUND.',
    table([
      ['compared', k.compared, 'account keys held against their source'],
      ['missing', k.missing, 'source rows without account key or reason'],
      ['extra', k.extra, 'account keys that should not be there'],
      ['different', k.different, 'account keys not equal to their source'],
      ['lost', a.lost, 'opened before, not now'],
      [
        'gained_store',
        a.gained_store,
        `store APIs opened that were shut; the rules predict ${grouped(a.predicted_gained_store)}`,
      ],
      ['gained_custom', a.gained_custom, 'custom APIs opened that were shut'],
      ['gained_foreign', a.gained_foreign, 'answers that name another account'],
      ['revived', a.revived, 'dead keys that open'],
    ]),
    ...proof.differences.slice(0, SHOWN).map((d) => `  ${differenceText(d)}`),
    ...(proof.differences.length > SHOWN
      ? [`  and ${grouped(proof.differences.length - SHOWN)} more; --json lists up to 100`]
      : []),
    '',
  ].join('\n');
}

const UNPROVEN = {
  nothing_migrated: 'there is no migration yet, so there are no account keys to compare',
  backfill_unfinished: 'the backfill is not done, so not every account key is there yet',
};

/** Why the keys themselves were not compared. */
export const unprovenText = (why: keyof typeof UNPROVEN): string => `Proof: not asked: ${UNPROVEN[why]}.\n`;

function differenceText(d: Difference): string {
  const fields = d.fields !== undefined && d.fields !== null && d.fields.length > 0 ? ` in ${d.fields.join(', ')}` : '';
  const also =
    d.authorization !== undefined && d.authorization.length > 0 && d.authorization[0] !== d.kind
      ? ` (${d.authorization.join(', ')})`
      : '';
  const api = d.api_id === undefined ? '' : ` at API ${forTerminal(d.api_id)}`;
  return `key ${forTerminal(d.key_id ?? '?')}: ${d.kind}${fields}${api}${also}`;
}
