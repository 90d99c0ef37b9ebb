/** Legacy tables as some platform has them, and how to read them without keylift. */
export interface Shape {
  name: string;
  /**
   * DDL and rows. The default tables, filled, stand in the schema `seed` (accounts, apis, api_keys) to be taken over;
   * what cannot be a row of this shape is left out here.
   */
  tables: string;
  /** What keylift.config.json says. */
  config: {
    legacy: {
      keys: Record<string, unknown> & { table: string; id: string };
      apis: Record<string, unknown>;
      accounts: Record<string, unknown>;
    };
    target?: { table: string };
  };
  /** The shape read by hand: what the rules are about, from the shape's own tables. */
  plain: {
    /**
     * id, account, api, token (as stored), created_at, revoked_at, expires_at (null where there is no such thing),
     * alive.
     */
    keys: string;
    /** id, kind. */
    apis: string;
    /** id. */
    accounts: string;
  };
  /** A new token as SQL, in the type of the column. Default: text. */
  token?: (word: string) => string;
  /** A new key's id as SQL, where the table has no default for it. */
  newId?: string;
  /** How a token as stored becomes the model's text. Default: `::text`. */
  tokenText?: (token: string) => string;
  /** How an id becomes the model's text. Default: `::text`. */
  idText?: (id: string) => string;
  /** Tokens are unique in the legacy table. */
  uniqueTokens?: true;
  /** A fault that this server version, or this build, cannot have the shape at all. */
  needs?: { version?: number; extension?: string };
}

/** MOTLEY's ids that fit an integer column. */
export const SMALL_IDS = 'k.id between 0 and 1000000';

/** Names whose own spelling SQL could trip over. */
export const ODD = { quote: 'a "quoted" name', dollar: 'pay$1$$ment', marks: "what?:x %s \\ '", unicode: 'clé 🔑' };
