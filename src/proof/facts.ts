import { commaList, sql } from '../database/sql.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import type { Finality } from './finality.js';
import { ruleFacts } from './rules.js';

/** A carried column may have any name, also that of a fact, so it gets a number here. */
const carriedColumns = (l: LegacyFragments, alias: string): string[] =>
  l.carry.map((c, at) => `${alias}.${c} AS carried_${String(at)}`);

/** An account key's columns, to compare with its source's facts. */
export const targetFacts = (l: LegacyFragments): string =>
  commaList([
    ...['id', 'account_id', 'name', 'token', 'scope', 'origin_api_id'].map((column) => `t.${column}`),
    ...['created_at', 'last_used_at', 'revoked_at', 'expires_at'].map((column) => `t.${column}`),
    ...carriedColumns(l, 't'),
    `${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive`,
  ]);

/** Facts of one source row: those that the rules look at, and those that are copied. */
export const sourceFacts = (l: LegacyFragments, finality: Finality): string =>
  commaList([
    ruleFacts(l, { finality }),
    `${l.name()} AS name`,
    `${l.lastUsedAt()} AS last_used_at`,
    `${l.revokedAt()} AS revoked_at`,
    ...carriedColumns(l, 'k'),
  ]);

/** A field that an account key must have equal with its source (rule 2), by the name it is reported with. */
export interface ComparedField {
  field: string;
  /** SQL over the facts `s` and `t`. */
  differs: string;
}

export const comparedFields = (l: LegacyFragments): ComparedField[] => [
  ...[...(l.hasName ? ['name'] : []), 'token', 'created_at', 'account_id', 'revoked_at', 'expires_at'].map((c) => ({
    field: c,
    differs: `s.${c} IS DISTINCT FROM t.${c}`,
  })),
  { field: 'origin_api_id', differs: 's.api_id IS DISTINCT FROM t.origin_api_id' },
  { field: 'scope', differs: `t.scope IS DISTINCT FROM 'store_apis'` },
  // A carried column can have a type without an equality of its own, such as json.
  ...l.carry.map((c, at) => ({
    field: c,
    differs: `record_image_ne(ROW(s.carried_${String(at)}), ROW(t.carried_${String(at)}))`,
  })),
];

/** Was the account key `t`, or its per-API key `s`, used later than the other one? */
export const USED_LATER = {
  perApiKey: sql`
    s.last_used_at IS NOT NULL
    AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at)`,
  accountKey: sql`
    t.last_used_at IS NOT NULL
    AND (s.last_used_at IS NULL OR s.last_used_at < t.last_used_at)`,
};
