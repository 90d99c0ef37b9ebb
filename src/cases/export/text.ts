import { forTerminal } from '../../escaping.js';
import type { Exported } from './export.js';
import { counted, grouped } from '../../format.js';

/** The contents of an exported sample. */
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
  const contents = [
    `${counted(keys, 'key')} of ${counted(accounts, 'account')}`,
    counted(apis, 'API'),
    ...(held > 0 ? [counted(held, 'hold')] : []),
  ];
  return [
    `A case in ${forTerminal(directory)}: ${contents.join(', ')}.`,
    ...found.map(([outcome, count]) => `  ${outcome.padEnd(22)}${grouped(count)}`),
    'Tokens, names, slugs and ids are replaced. To run it: keylift snapshot check, in any folder.',
    '',
  ].join('\n');
}
