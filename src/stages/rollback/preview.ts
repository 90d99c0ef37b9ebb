import { sql } from '../../database/sql.js';
import type { Database } from '../../database/connect.js';
import { ARCHIVE } from '../../mapping/archive.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { Installed } from '../../ledger/installed.js';

/** Accounts and native keys that a preview names; all are counted. */
export const NAMED = 10;

/** What a rollback would change, for the question before it. */
export interface RollbackPreview {
  /** Accounts whose account keys leave the new table. */
  accounts: number;
  keys: number;
  /** Rows that come back from the archive. */
  archived: number;
  /** Native keys, which are kept. */
  native: number;
  /** The first of these accounts by id, where the operator listed accounts. */
  namedAccounts: { id: string; name: string | null }[];
  namedNative: { key_id: string; account_id: string; fingerprint: string; name: string | null }[];
}

/** Reads it. `accountIds`: the accounts of `--accounts`; undefined: all. */
export async function previewRollback(
  database: Database,
  { schema, installed, accountIds }: { schema: MappedSchema; installed: Installed; accountIds: string[] | undefined },
): Promise<RollbackPreview> {
  return database.readOnly(async (session) => {
    const values = [accountIds ?? null];
    const counts = installed.target
      ? await session.one<Record<'accounts' | 'keys' | 'native', string>>(countKeys(schema), values)
      : { accounts: '0', keys: '0', native: '0' };
    const archived = installed.archive
      ? (await session.one<{ rows: string }>(`SELECT count(*) AS rows FROM ${ARCHIVE}`)).rows
      : '0';
    const native = installed.target ? await session.query(firstNative(schema), values) : { rows: [] };
    const accounts = accountIds === undefined ? { rows: [] } : await session.query(firstAccounts(schema), values);
    return {
      accounts: Number(counts.accounts),
      keys: Number(counts.keys),
      archived: Number(archived),
      native: Number(counts.native),
      namedAccounts: accounts.rows as unknown as RollbackPreview['namedAccounts'],
      namedNative: native.rows as unknown as RollbackPreview['namedNative'],
    };
  });
}

/** Of the accounts $1, or of all where it is null. */
const listed = ({ types }: MappedSchema, account: string): string =>
  `($1::text[] IS NULL OR ${account} = ANY ($1::text[]::${types.account}[]))`;

const countKeys = (schema: MappedSchema): string => sql`
  /* counting what a rollback would change */
  SELECT count(DISTINCT t.account_id) FILTER (WHERE t.origin_api_id IS NOT NULL) AS accounts,
    count(*) FILTER (WHERE t.origin_api_id IS NOT NULL) AS keys,
    count(*) FILTER (WHERE t.origin_api_id IS NULL) AS native
  FROM ${schema.legacy.target} t
  WHERE ${listed(schema, 't.account_id')}`;

const firstNative = (schema: MappedSchema): string => sql`
  SELECT t.id::text AS key_id, t.account_id::text AS account_id, t.name,
    ${fingerprintOf('t.token', schema.types)} AS fingerprint
  FROM ${schema.legacy.target} t
  WHERE t.origin_api_id IS NULL AND ${listed(schema, 't.account_id')}
  ORDER BY t.id
  LIMIT ${NAMED}`;

const firstAccounts = (schema: MappedSchema): string => sql`
  SELECT ${schema.legacy.accountId()}::text AS id, ${schema.legacy.accountName()}::text AS name
  FROM ${schema.legacy.accounts} o
  WHERE ${listed(schema, schema.legacy.accountId())}
  ORDER BY ${schema.legacy.accountId()}
  LIMIT ${NAMED}`;
