import type { Installed } from '../ledger/installed.js';
import type { MappedSchema } from '../mapping/inspect.js';

/**
 * The table of the account keys, or null where it does not exist or this role may not read it. It can hold native keys
 * before a migration, since a rollback keeps them, and no per-API key with the token of a native key moves.
 */
export const nativeKeysTable = ({ legacy }: MappedSchema, { target }: Installed): string | null =>
  target ? legacy.target : null;

/** The condition of `verdicts` that a native key has this token. */
export const takenByNativeKey = (table: string | null, token: string): { takenElsewhere?: string } =>
  table === null
    ? {}
    : { takenElsewhere: `EXISTS (SELECT FROM ${table} b WHERE b.token = ${token} AND b.origin_api_id IS NULL)` };
