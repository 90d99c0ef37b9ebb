import { quoteIdentifier } from '../config/identifiers.js';
import { row } from '../database/sql.js';
import type { LegacyFragments, WritableValue } from './fragments.js';

/** One column of the new table and the legacy expression it is copied from. */
export interface CopiedColumn {
  /** Quoted name in the new table. */
  target: string;
  /** SQL over `k`, `a`, `o`. */
  source: string;
  /** True where the configuration computes it by an expression. */
  computed: boolean;
}

/**
 * What is copied verbatim from a per-API key to its account key, last use apart (rule 2).
 * The mirror compares and writes exactly these; `scope` is a constant and has its default.
 */
export function copiedColumns(l: LegacyFragments): CopiedColumn[] {
  const value = (target: string, name: Exclude<WritableValue, 'lastUsedAt'>): CopiedColumn => ({
    target,
    source: l[name](),
    computed: l.computed.has(name),
  });
  return [
    value('account_id', 'account'),
    ...(l.hasName ? [value('name', 'name')] : []),
    value('token', 'token'),
    value('origin_api_id', 'api'),
    value('created_at', 'createdAt'),
    value('revoked_at', 'revokedAt'),
    value('expires_at', 'expiresAt'),
    ...l.carry.map((name) => ({ target: name, source: `k.${name}`, computed: false })),
  ];
}

/** These columns of the account key `t` as one value. */
export const targetRow = (columns: readonly CopiedColumn[]): string => row(columns.map((c) => `t.${c.target}`));

/** The values that the legacy row has for these columns, as one value. */
export const sourceRow = (columns: readonly CopiedColumn[]): string => row(columns.map((c) => c.source));

/** A name for an index or constraint of a table, kept under PostgreSQL's 63 bytes. */
export function derivedName(table: string, suffix: string): string {
  const room = 62 - Buffer.byteLength(suffix);
  const base = [...table]; // characters, so that none is cut in two
  while (Buffer.byteLength(base.join('')) > room) base.pop();
  return quoteIdentifier(`${base.join('')}_${suffix}`);
}
