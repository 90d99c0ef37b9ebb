import { caretLines, type Place } from '../database/place.js';

/** Something the configuration says that this database does not bear out. */
export interface MappingFault {
  /** The key it is about: `legacy.keys.token`. */
  at: string;
  kind: 'table' | 'column' | 'expression' | 'type';
  problem: string;
  didYouMean: string | null;
  /** Where in an expression of the configuration the server found it, where it said. */
  place?: Place;
}

/** `legacy.keys.token: no column "tokn", did you mean "token"?` */
export const faultLine = ({ at, problem, didYouMean }: MappingFault): string =>
  `${at}: ${problem}${didYouMean === null ? '' : `, did you mean ${didYouMean}?`}`;

/** The same with the place under it, where there is one: the line of the expression, and a caret. */
export const faultLines = (fault: MappingFault): string[] => [
  faultLine(fault),
  ...(fault.place === undefined ? [] : caretLines(fault.place).map((line) => `    ${line}`)),
];
