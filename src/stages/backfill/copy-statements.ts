import { commaList, sql, type Statement } from '../../database/sql.js';
import { copiedColumns } from '../../mapping/copy.js';
import { withApi, type LegacyFragments } from '../../mapping/fragments.js';
import { ON_PLATFORM_PATH } from '../../mirror/platform-path.js';
import { heldByName, settledByItself, staysByItself } from '../../mapping/rules/verdicts.js';

/** What one range came to; the counts add up to `rows`. */
export interface RangeCounts {
  rows: string;
  moved: string;
  stayed: string;
  /** Exceptions and holds, and the listed keys, which are decided later. */
  excluded: string;
}

/** The keys with $1 < id <= $2; an open lower end is null. */
const inRange = (id: string, type: string): string =>
  `($1::${type} IS NULL OR ${id} > $1::${type}) AND ${id} <= $2::${type}`;

export interface CopyOptions {
  idType: string;
  /** False where no key and no account is held: then no row is asked. */
  holds: boolean;
  /** True where no list of keys without an account was made: then the batch looks up each account. */
  accounts?: boolean;
}

/**
 * The statement that matters. One snapshot of a range: each key that moves becomes an account key, every value verbatim
 * and inside PostgreSQL; exceptions and holds go into the ledger; listed keys wait. The batch takes no lock on a row and
 * looks for nothing that the change log brings.
 */
export function copyRange(l: LegacyFragments, { idType, holds, accounts = false }: CopyOptions): string {
  const columns = [...copiedColumns(l), { target: 'last_used_at', source: l.lastUsedAt() }];
  const listed = sql`
    ${l.id()} IN (
      SELECT p.key_id FROM keylift.listed_keys p
      WHERE ${inRange('p.key_id', idType)}
    )`;
  const held = holds ? heldByName(l, { from: 'ledger' }) : 'false';
  const from = accounts ? l.from : withApi(l);
  const outcome = settledByItself(l, accounts ? undefined : 'false');
  return sql`
    /* copying a batch */
    WITH moved AS (
      INSERT INTO ${l.target} (
        id, ${commaList(columns.map((c) => c.target))})
      SELECT ${l.id()},
        ${commaList(columns.map((c) => c.source))}
      FROM
        ${from}
      WHERE ${inRange(l.id(), idType)} AND ${l.isPerApiKey()}
        AND NOT ${listed}
        AND NOT ${held}
        AND (
          ${outcome}
        ) IS NULL
        AND ${ON_PLATFORM_PATH}
      RETURNING 1
    ), excluded AS (
      INSERT INTO keylift.outcomes (key_id, outcome, reason)
      SELECT key_id, CASE WHEN reason IS NULL THEN 'hold' ELSE 'exception' END, reason
      FROM (
        SELECT ${l.id()} AS key_id, ${held} AS held,
          ${outcome} AS reason
        FROM
          ${from}
        WHERE ${inRange(l.id(), idType)} AND ${l.isPerApiKey()}
          AND NOT ${listed}
      ) AS key
      WHERE reason <> 'stay' OR (reason IS NULL AND held)
      RETURNING 1
    ), counted AS (
      SELECT
        count(*) AS rows,
        count(*) FILTER (WHERE stays AND NOT listed) AS stayed,
        count(*) FILTER (WHERE listed) AS listed
      FROM (
        SELECT
          ${staysByItself(l)} AS stays,
          ${listed} AS listed
        FROM
          ${withApi(l)}
        WHERE ${inRange(l.id(), idType)} AND ${l.isPerApiKey()}
      ) AS key
    )
    SELECT counted.rows, (SELECT count(*) FROM moved) AS moved, counted.stayed,
      counted.listed + (SELECT count(*) FROM excluded) AS excluded
    FROM counted`;
}

/** Both forms of the copy: rows are asked for a hold only where there is one. */
export function copyStatement(l: LegacyFragments, idType: string): Statement {
  return {
    title: 'copy one range of keys ($1 < id <= $2) and account for each, one transaction a batch',
    text: copyRange(l, { idType, holds: true }),
    variants: {
      differ: 'the holds are left out where there are none',
      texts: [copyRange(l, { idType, holds: false })],
    },
  };
}

/** Sessions that planned their lookups on the empty table plan again: nothing else shows them that it grew. */
export const analyze = ({ target }: LegacyFragments): string => `ANALYZE ${target}`;
