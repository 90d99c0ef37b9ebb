import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { hasTokenIn, repeatedTokens } from '../mapping/rules/repeated-tokens.js';
import { outcomeOfSingleRow } from '../mapping/rules/single-row.js';
import { verdicts, type HoldsSource } from '../mapping/rules/verdicts.js';
import { forCsv } from '../escaping.js';
import type { Output } from '../files/placement.js';
import { writeFile } from '../files/write.js';
import type { Holds } from '../ledger/holds.js';
import type { Installed } from '../ledger/installed.js';
import { holdsToBind } from './holds.js';
import { nativeKeysTable, takenByNativeKey } from './native-keys.js';

/** Columns of the notice. API slugs are separated by spaces. */
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
  installed: Installed;
  stop: AbortSignal;
}

/** The file of the notice, as `checkOutput` takes it before the plan is counted. */
export const noticeOutput = (file: string): Output => ({ file, what: 'the notice file', code: 'notice_unwritable' });

/**
 * Writes the CSV for a notice to customers: a row for each living key that becomes an account key, with the store APIs
 * that it, or a key merged into it, opens now, and those that it will open. It has no token. Rows come from a cursor, page
 * by page, so that memory is constant: without an index that begins with the account, each page by keyset would read the
 * whole table.
 *
 * @throws `notice_unwritable`; an AbortError when `stop` is signalled, and then the file is as it was
 */
export async function writeNotice(
  session: ReadSession,
  schema: MappedSchema,
  { file, holds, installed, stop }: NoticeOptions,
): Promise<Notice> {
  const { source, values } = holdsToBind(schema, holds);
  const nativeKeysIn = nativeKeysTable(schema, installed);
  // All rows are fetched, so a plan that returns the first rows early has no advantage.
  await session.query(`SET LOCAL cursor_tuple_fraction = 1; SET LOCAL work_mem = '64MB'`);
  await session.query(
    `DECLARE keylift_notice NO SCROLL CURSOR FOR ${widenedKeys(schema, { holds: source, nativeKeysIn })}`,
    values,
  );
  const keys = await writeFile(noticeOutput(file), async (append) => {
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

/** The living keys that move, by account and creation, each with the APIs of all rows that it will stand for. */
export function widenedKeys(
  { legacy: l, types: { tokensSorted } }: MappedSchema,
  { holds, nativeKeysIn }: { holds: HoldsSource; nativeKeysIn: string | null },
): string {
  const rows = hasTokenIn(l, { tokens: 'SELECT token FROM repeated', tokensSorted });
  const slug = slugOf(l);
  return sql`
    /* listing the keys that are widened */
    WITH repeated AS MATERIALIZED (
      ${repeatedTokens(l, nativeKeysIn)}
    ), duplicates AS MATERIALIZED (
      SELECT key_id, outcome, account_key_id
      FROM (
        ${verdicts(l, { holds, rows, ...takenByNativeKey(nativeKeysIn, l.token()) })}
      ) v
    ), merged AS MATERIALIZED (
      ${apisOfMergedKeys(l)}
    ), store AS MATERIALIZED (
      SELECT string_agg(${slug}, ' ' ORDER BY ${slug}) AS slugs
      FROM ${l.apis} a
      WHERE ${l.inStore()}
    )
    SELECT ${l.account()}::text AS account_id, ${l.accountName()}::text AS account,
      ${l.id()}::text AS key_id, ${l.name()}::text AS key_name,
      coalesce(merged.slugs, ${l.slug()}::text) AS opens_before, store.slugs AS opens_after
    FROM
      ${l.from}
      LEFT JOIN duplicates ON duplicates.key_id = ${l.id()}
      LEFT JOIN merged ON merged.key_id = ${l.id()}
      CROSS JOIN store
    WHERE ${l.isPerApiKey()} AND ${l.alive()}
      AND 'move' = coalesce(
        duplicates.outcome,
        ${outcomeOfSingleRow(l, { holds })}
      )
    ORDER BY ${l.account()}, ${l.createdAt()}, ${l.id()}`;
}

/** The slugs that rows of a repeated token open, by the key that will stand for them. */
const apisOfMergedKeys = (l: LegacyFragments): string => sql`
  SELECT v.account_key_id AS key_id, string_agg(DISTINCT ${slugOf(l)}, ' ' ORDER BY ${slugOf(l)}) AS slugs
  FROM duplicates v
    JOIN ${l.keys} k ON ${l.id()} = v.key_id
    JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
    ${l.apiNeedsAccount ? `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}` : ''}
  WHERE v.outcome IN ('move', 'merge')
  GROUP BY 1`;

const slugOf = (l: LegacyFragments): string => `${l.slug()}::text COLLATE "C"`;
