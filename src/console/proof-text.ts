import { forTerminal } from '../escaping.js';
import { counted, grouped } from '../format.js';
import type { Difference, Proof } from '../proof/document.js';
import type { Probe, ProbeResult } from '../proof/probe/document.js';
import { table, wrap } from './layout.js';

const DIFFERENCES_SHOWN = 20;

/** The counters of a proof and its first differences. */
export function proofText(proof: Proof): string {
  const { keys: k, authorization: a } = proof;
  const predicted = grouped(a.predicted_gained_store);
  const left = proof.differences.length - DIFFERENCES_SHOWN;
  return [
    proof.ok ? 'Proof: no difference.' : 'Proof: DIFFERENCES FOUND.',
    table([
      ['compared', k.compared, 'account keys compared with their source'],
      ['missing', k.missing, 'source rows without account key or reason'],
      ['extra', k.extra, 'account keys without a source row'],
      ['different', k.different, 'account keys unequal to their source'],
      ['lost', a.lost, 'opened before, not now'],
      ['gained_store', a.gained_store, `store APIs that are newly open; the rules predict ${predicted}`],
      ['gained_custom', a.gained_custom, 'custom APIs that are newly open'],
      ['gained_foreign', a.gained_foreign, 'answers that name another account, or open its APIs'],
      ['revived', a.revived, 'dead keys that open an API'],
    ]),
    ...proof.mirror.faults.map((fault) => wrap(`mirror: ${forTerminal(fault)}`, { first: '  ', rest: '    ' })),
    ...proof.differences.slice(0, DIFFERENCES_SHOWN).map((difference) => `  ${differenceText(difference)}`),
    ...(left > 0 ? [`  and ${grouped(left)} more; --json lists up to 100`] : []),
    '',
  ].join('\n');
}

const UNPROVEN = {
  nothing_migrated: 'there is no migration yet, so there are no account keys to compare',
  backfill_unfinished: 'the backfill is not done, so some account keys do not exist yet',
};

/** Why the keys themselves were not compared. */
export const unprovenText = (why: keyof typeof UNPROVEN): string => `Proof: not made: ${UNPROVEN[why]}.\n`;

function differenceText({ key_id: id, kind, fields, api_id: api, authorization = [] }: Difference): string {
  const fieldList = fields == null || fields.length === 0 ? '' : ` in ${fields.join(', ')}`;
  const apiText = api === undefined ? '' : ` at API ${forTerminal(api)}`;
  const also = authorization.length > 0 && authorization[0] !== kind ? ` (${authorization.join(', ')})` : '';
  return `key ${forTerminal(id ?? '?')}: ${kind}${fieldList}${apiText}${also}`;
}

const REQUESTS_SHOWN = 50;

/** The answers of the gateway, wrong ones first. */
export function probeText({ ok, base_url: url, requests, same, different, unanswered, results }: Probe): string {
  const wrong = results.filter((result) => !result.ok);
  const shown = [...wrong, ...results.filter((result) => result.ok)].slice(0, REQUESTS_SHOWN);
  const left = results.length - REQUESTS_SHOWN;
  return [
    '',
    `Probe: ${
      ok
        ? 'the gateway answers as expected.'
        : different > 0
          ? 'THE GATEWAY ANSWERS DIFFERENTLY.'
          : 'NOT EVERY REQUEST WAS ANSWERED.'
    }`,
    `  ${counted(requests, 'request')} to ${forTerminal(url)}: ${String(same)} as expected, ` +
      `${String(different)} different, ${String(unanswered)} without an answer`,
    ...shown.map((result) => `  ${resultText(result)}`),
    ...(left > 0 ? [`  and ${String(left)} more; --json lists all`] : []),
    '',
  ].join('\n');
}

function resultText(result: ProbeResult): string {
  const { request, name, method, path, key_id: id, switched, expected, status, attempts, reason } = result;
  const label = name === null ? '' : `${forTerminal(name)}: `;
  const key = id === null ? '' : `, key ${forTerminal(id)}, ${switched === true ? 'after' : 'before'} the switch`;
  const answer = status === null ? `no answer: ${reason ?? ''}` : String(status);
  const wanted = result.ok ? '' : `, expected ${String(expected)}`;
  const sent = attempts > 1 ? ` (sent ${String(attempts)} times)` : '';
  return (
    `${result.ok ? 'ok     ' : 'DIFFERS'} ${String(request)}. ${label}${method} ${forTerminal(path)}${key}: ` +
    `${answer}${wanted}${sent}`
  );
}
