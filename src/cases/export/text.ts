import { forTerminal } from '../../escaping.js';
import type { Exported } from './export.js';
import { counted, grouped } from '../../format.js';

/** What a sample has in it, as a person reads it. */
export function exportText({
  directory,
  accounts,
  apis,
  keys,
  held,
  outcomes,
  exceptions_by_reason: reasons,
}: Exported): string {
  const found = [
    ...Object.entries(outcomes).filter(([, count]) => count > 0),
    ...Object.entries(reasons).map(([reason, count]) => [`  ${reason}`, count] as const),
  ];
  return [
    `A case in ${forTerminal(directory)}: ${counted(keys, 'key')} of ${counted(accounts, 'account')}, ${counted(apis, 'API')}${held > 0 ? `, ${counted(held, 'hold')}` : ''}.`,
    ...found.map(([outcome, count]) => `  ${outcome.padEnd(22)}${grouped(count)}`),
    'Tokens, names, slugs and ids are made up. keylift snapshot check runs it, wherever you put it.',
    '',
  ].join('\n');
}
