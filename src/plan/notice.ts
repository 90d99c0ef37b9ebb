import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { heldByName, settledByItself, verdicts, type HoldsSource } from '../mapping/rules/verdicts.js';
import { bornKeysTable, bornTokens, takenInSettings } from './born.js';
import { forCsv } from '../escaping.js';
import { replaceFile } from '../files/replace-file.js';
import { planParameters, type Holds } from './holds.js';

/** Columns of the customers' list. API slugs are separated by spaces. */
export const NOTICE_HEADER = ['account_id', 'account', 'key_id', 'key_name', 'opens_before', 'opens_after'] as const;
const PAGE = 2_000;

export interface Notice {
  file: string;
  /** Rows below the header: living keys that widen. */
  keys: number;
}

export interface NoticeOptions {
  file: string;
  holds: Holds;
  stop: AbortSignal;
}

/**
 * Writes the CSV for telling customers: a row for each living key that becomes an account key, with the store APIs
 * that it, or a key merged into it, opens now, and those it will open. Never a token. Rows come from a cursor, page
 * by page, so that memory is constant: pages by keyset would each read the whole table where no index leads by account.
 *
 * @throws `notice_unwritable`; an AbortError when `stop` asks, the file as it was then.
 */
export async function writeNotice(
  session: ReadSession,
  schema: MappedSchema,
  { file, holds, stop }: NoticeOptions,
): Promise<Notice> {
  const { source, values } = planParameters(schema, holds);
  const born = await bornKeysTable(session, schema);
  // All rows are fetched, so nothing is won by a plan that is quick to bring the first.
  await session.query('SET LOCAL cursor_tuple_fraction = 1');
  await session.query(
    `DECLARE keylift_notice NO SCROLL CURSOR FOR ${widenedKeys(schema, { holds: source, born })}`,
    values,
  );
  const keys = await replaceFile({ file, kind: 'notice' }, async (append) => {
    await append(forCsv(NOTICE_HEADER));
    for (let written = 0; ;) {
      stop.throwIfAborted();
      const { rows } = await session.query<Record<(typeof NOTICE_HEADER)[number], string | null>>(
        `FETCH ${String(PAGE)} FROM keylift_notice`,
      );
      if (rows.length === 0) return written;
      await append(rows.map((row) => forCsv(NOTICE_HEADER.map((column) => row[column]))).join(''));
      written += rows.length;
    }
  });
  await session.query('CLOSE keylift_notice');
  return { file, keys };
}

/** The living keys that move, by account and creation, each with the APIs of all rows it will stand for. */
export function widenedKeys(
  { legacy: l, types }: MappedSchema,
  { holds, born }: { holds: HoldsSource; born: string | null },
): string {
  const slug = `${l.slug()}::text COLLATE "C"`;
  const rows = types.tokenIndexed
    ? `${l.token()} = ANY (ARRAY(SELECT token FROM repeated))`
    : `${l.token()} IN (SELECT token FROM repeated)`;
  return `
    /* listing the keys that are widened */
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1 AND ${l.hasToken()}
      ${bornTokens(born)}
    ), together AS MATERIALIZED (
      SELECT key_id, outcome, account_key_id FROM (${verdicts(l, { holds, rows, ...takenInSettings(born, l.token()) })}) v
    ), merged AS MATERIALIZED (
      SELECT v.account_key_id AS key_id, string_agg(DISTINCT ${slug}, ' ' ORDER BY ${slug}) AS slugs
      FROM together v JOIN ${l.keys} k ON ${l.id()} = v.key_id JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
        ${l.apiNeedsAccount ? `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}` : ''}
      WHERE v.outcome IN ('move', 'merge') GROUP BY 1
    ), store AS MATERIALIZED (
      SELECT string_agg(${slug}, ' ' ORDER BY ${slug}) AS slugs FROM ${l.apis} a WHERE ${l.inStore()}
    )
    SELECT ${l.account()}::text AS account_id, ${l.accountName()}::text AS account, ${l.id()}::text AS key_id, ${l.name()}::text AS key_name,
      coalesce(merged.slugs, ${l.slug()}::text) AS opens_before, store.slugs AS opens_after
    FROM ${l.from} LEFT JOIN together ON together.key_id = ${l.id()} LEFT JOIN merged ON merged.key_id = ${l.id()} CROSS JOIN store
    WHERE ${l.isPerApiKey()} AND ${l.alive()}
      AND coalesce(together.outcome = 'move', ${settledByItself(l)} IS NULL AND NOT ${heldByName(l, holds)})
    ORDER BY ${l.account()}, ${l.createdAt()}, ${l.id()}`;
}
