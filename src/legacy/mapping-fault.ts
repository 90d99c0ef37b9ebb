/** Something the configuration says that this database does not bear out. */
export interface MappingFault {
  /** The key it is about: `legacy.keys.token`. */
  at: string;
  kind: 'table' | 'column' | 'expression' | 'type';
  problem: string;
  didYouMean: string | null;
}

/** `legacy.keys.token: no column "tokn", did you mean "token"?` */
export const faultLine = ({ at, problem, didYouMean }: MappingFault): string =>
  `${at}: ${problem}${didYouMean === null ? '' : `, did you mean ${didYouMean}?`}`;
