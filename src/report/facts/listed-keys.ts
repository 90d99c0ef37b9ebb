import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { Listed, ListedKey, ReportFacts } from './document.js';
import type { Sources } from './sources.js';

/** Keys of each kind that a report lists. The counts include all keys. */
const MOST_LISTED = 10_000;
/** Characters of a name that a report shows. */
const NAME_LENGTH = 200;

const cut = (text: string): string => {
  const length = String(NAME_LENGTH);
  return `CASE WHEN length(${text}) > ${length} THEN left(${text}, ${length}) || '...' ELSE ${text} END`;
};

/** Keys with outcome $1 in the ledger, the first by id, with the values of their rows where these still exist. */
function listedKeys({ schema: { legacy: l, types } }: Sources): string {
  return sql`
    SELECT x.key_id::text AS key_id, x.reason, x.account_key_id::text AS account_key_id,
      ${l.account()}::text AS account_id,
      ${cut(`${l.accountName()}::text`)} AS account,
      coalesce(${l.api()}, x.opened_api_id)::text AS api_id, ${l.slug()}::text AS slug,
      ${cut(`${l.name()}::text`)} AS name,
      CASE WHEN ${l.hasToken()} THEN ${fingerprintOf(l.token(), types)} END AS fingerprint,
      CASE WHEN ${l.id()} IS NOT NULL THEN ${l.alive()} END AS alive, ${l.createdAt()}::text AS created_at
    FROM (SELECT * FROM keylift.outcomes WHERE outcome = $1 ORDER BY key_id LIMIT ${MOST_LISTED}) x
      LEFT JOIN ${l.keys} k ON ${l.id()} = x.key_id AND ${l.isPerApiKey()}
      LEFT JOIN ${l.apis} a
        ON ${l.apiId()} = CASE WHEN ${l.id()} IS NULL THEN x.opened_api_id ELSE ${l.api()} END
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
    ORDER BY x.key_id`;
}

/** Exceptions and merged keys, at most `MOST_LISTED` of each. */
export async function readListedKeys(
  session: ReadSession,
  sources: Sources,
): Promise<Pick<ReportFacts, 'exceptions' | 'merges'>> {
  const list = async (outcome: 'exception' | 'merge'): Promise<Listed<ListedKey>> => {
    const { total } = await session.one<{ total: string }>(
      'SELECT count(*) AS total FROM keylift.outcomes WHERE outcome = $1',
      [outcome],
    );
    return { total: Number(total), listed: (await session.query<ListedKey>(listedKeys(sources), [outcome])).rows };
  };
  return { exceptions: await list('exception'), merges: await list('merge') };
}
