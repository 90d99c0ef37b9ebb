import { forTerminal } from '../escaping.js';
import { caretLines } from '../database/place.js';
import type { CheckFault, CheckReport } from '../setup/check.js';
import { counted } from '../format.js';
import { wrap } from './layout.js';
import { surroundingsText } from './surroundings-text.js';

/** Every fault with its key and its way out, what is good to know, then all that meets the tables. */
export function checkText({ ok, config, faults, notes, surroundings }: CheckReport): string {
  const what = forTerminal(config ?? 'the default configuration');
  const item = (line: string): string => wrap(line, { first: '  ', rest: '    ' });
  return [
    ok ? `${what} fits this database` : `${what} does not fit this database: ${counted(faults.length, 'fault')}`,
    ...faults.flatMap((fault) => [item(lineOf(fault)), ...placeOf(fault)]),
    ...(notes.length === 0 ? [] : ['', 'Good to know:', ...notes.map(({ at, note }) => item(`${at}: ${note}`))]),
    ...surroundingsText(surroundings),
    '',
  ].join('\n');
}

const lineOf = ({ at, problem, did_you_mean: meant, way_out: wayOut }: CheckFault): string =>
  `${at}: ${problem}${meant === null ? '' : `, did you mean ${meant}?`}${wayOut === null ? '' : `; ${wayOut}`}`;

/** Not wrapped: the caret stands under its place. */
const placeOf = ({ place }: CheckFault): string[] =>
  place === null ? [] : caretLines(place).map((line) => `      ${forTerminal(line)}`);
