/** A value from the legacy tables: the name of a column, or an SQL expression over `k`, `a` or `o`. */
export type Expression = string | { sql: string };

/** The mapping of the legacy key table. Null means that the platform does not have this value. */
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
  /** The time zone of dates without zone. Default: that of the session. */
  timeZone?: string;
}

export interface ApiMapping {
  table: string;
  id: string;
  slug: Expression;
  inStore: Expression;
  /** True: the operator knows that account keys open APIs of which only another account has keys. */
  shared?: boolean;
}

export interface AccountMapping {
  table: string;
  id: string;
  name: Expression | null;
}

/** The checked settings of `keylift.config.json`, with all defaults. */
export interface Settings {
  legacy: { keys: KeyMapping; apis: ApiMapping; accounts: AccountMapping };
  target: { table: string };
}

/** The settings as they are written: what is left out keeps its default. schemas/config.schema.json describes them. */
export interface SettingsInput {
  legacy?: { [Section in keyof Settings['legacy']]?: Partial<Settings['legacy'][Section]> };
  target?: Partial<Settings['target']>;
}
