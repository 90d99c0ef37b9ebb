import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../fragments.js';
import { heldByName, settledByItself, type VerdictOptions } from './verdicts.js';

/*
 * Equals `verdicts` for a row whose token no other row has. Such a row is a group of one: its key is the first key of the
 * group, it has one account and one life, and only its own hold counts. So the windows over the token are left out, which
 * are most of the cost. test/mapping/rules.test.ts compares the two.
 */

/**
 * The outcome of a row of `legacy.from` whose token no other row has: `stay`, `hold`, `move`, or an exception's reason.
 *
 * @param accountIsMissing SQL over `k` for a statement that does not join the accounts
 */
export const outcomeOfSingleRow = (
  l: LegacyFragments,
  { holds, takenElsewhere, accountIsMissing }: Omit<VerdictOptions, 'rows'> & { accountIsMissing?: string },
): string => sql`
  coalesce(
    ${settledByItself(l, accountIsMissing)},
    CASE
      WHEN ${heldByName(l, holds)}
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
