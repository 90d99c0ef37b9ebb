import { forTerminal } from '../escaping.js';
import type { Probe, ProbeResult } from '../proof/probe/document.js';
import { counted } from '../format.js';

const SHOWN = 50;

/** How the gateway answered, as a person reads it: what went wrong comes first. */
export function probeText({ ok, base_url: url, requests, same, different, unanswered, results }: Probe): string {
  const wrong = results.filter((result) => !result.ok);
  const shown = [...wrong, ...results.filter((result) => result.ok)].slice(0, SHOWN);
  return [
    '',
    `Probe: ${ok ? 'the gateway answers as expected.' : different > 0 ? 'THE GATEWAY ANSWERS OTHERWISE.' : 'NOT EVERY REQUEST WAS ANSWERED.'}`,
    `  ${counted(requests, 'request')} to ${forTerminal(url)}: ${String(same)} as expected, ${String(different)} otherwise, ${String(unanswered)} without an answer`,
    ...shown.map((result) => `  ${resultText(result)}`),
    ...(results.length > SHOWN ? [`  and ${String(results.length - SHOWN)} more; --json lists all`] : []),
    '',
  ].join('\n');
}

function resultText(result: ProbeResult): string {
  const { request, name, method, path, key_id: id, switched, expected, status, attempts, reason } = result;
  const key = id === null ? '' : `, key ${forTerminal(id)}, ${switched === true ? 'after' : 'before'} the switch`;
  const answer = status === null ? `no answer: ${reason ?? ''}` : String(status);
  return (
    `${result.ok ? 'ok     ' : 'DIFFERS'} ${String(request)}. ${name === null ? '' : `${forTerminal(name)}: `}${method} ${forTerminal(path)}${key}: ` +
    `${answer}${result.ok ? '' : `, expected ${String(expected)}`}${attempts > 1 ? ` (sent ${String(attempts)} times)` : ''}`
  );
}
