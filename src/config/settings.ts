/** A value read from the legacy tables: a column's bare name, or an SQL expression over `k`, `a` or `o`. */
export type Expression = string | { sql: string };

/** How the operator's legacy key table looks. Null means: there is no such thing in this schema. */
export interface KeyMapping {
  table: string;
  id: string;
  token: Expression;
  name: Expression | null;
  createdAt: Expression;
  lastUsedAt: Expression | null;
  revokedAt: Expression | null;
  expiresAt: Expression | null;
  api: Expression;
  account: Expression;
  carry: string[];
  where: { sql: string } | null;
  /** The zone of dates without one. Left out: that of the session that asks. */
  timeZone?: string;
}

export interface ApiMapping {
  table: string;
  id: string;
  slug: Expression;
  inStore: Expression;
}

export interface AccountMapping {
  table: string;
  id: string;
  name: Expression | null;
}

/** Parsed settings: complete, checked, defaults filled in. The contract's `keylift.config.json`. */
export interface Settings {
  legacy: { keys: KeyMapping; apis: ApiMapping; accounts: AccountMapping };
  target: { table: string };
}
