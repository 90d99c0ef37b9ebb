import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../fragments.js';
import { heldByName, settledByItself, type HoldsSource, type VerdictOptions } from './verdicts.js';

/*
 * Equals `verdicts` for a row whose token no other row has. Such a row is a group of one: its key is the first key of the
 * group, it has one account and one life, and only its own hold counts. So the windows over the token are left out, which
 * are most of the cost. test/mapping/rules/readings.test.ts compares the two.
 */

export interface SingleRowOptions extends Pick<VerdictOptions, 'holds' | 'takenElsewhere'> {
  /** SQL over `k` for a statement that does not join the accounts. */
  accountIsMissing?: string;
}

/** The outcome of a row of `legacy.from`: `stay`, `hold`, `move`, or an exception's reason. */
export const outcomeOfSingleRow = (
  l: LegacyFragments,
  { holds, takenElsewhere, accountIsMissing }: SingleRowOptions,
): string =>
  outcomeOfFacts({
    ownReason: settledByItself(l, accountIsMissing),
    held: heldByName(l, holds),
    ...(takenElsewhere !== undefined && { takenElsewhere }),
  });

/** The same over facts that are there already: `settledByItself` and `heldByName` of the row. */
export const outcomeOfFacts = ({
  ownReason,
  held,
  takenElsewhere,
}: {
  ownReason: string;
  held: string;
  takenElsewhere?: string;
}): string => sql`
  coalesce(
    ${ownReason},
    CASE
      WHEN ${held}
        THEN 'hold'
      ${
        takenElsewhere === undefined
          ? ''
          : sql`
              WHEN ${takenElsewhere}
                THEN 'shared_token'`
      }
      ELSE 'move'
    END
  )`;

/**
 * Conditions under which the outcome of a row is `move`, for a statement that reads millions of rows and finds only
 * existing accounts. They are cheaper than a text for each row.
 */
export const singleRowMoves = (l: LegacyFragments, holds: HoldsSource): string[] => [
  l.inStore(),
  l.hasToken(),
  `${l.createdAt()} IS NOT NULL`,
  ...(holds.from === 'nowhere' ? [] : [`NOT ${heldByName(l, holds)}`]),
];
