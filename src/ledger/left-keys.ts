import { copyRowSecurity } from '../database/rights.js';
import { sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** What a rollback leaves. */
export const leftKeysTable = ({ legacy: l, types }: MappedSchema): Statement => {
  const id = `(${l.id()})::${types.id}`;
  return {
    title: 'table keylift.left_keys',
    text: sql`
    -- Rows that a rollback could not bring back into the legacy table, whole, with the reason.
    CREATE TABLE keylift.left_keys AS
    SELECT ${id} AS key_id, ${id} AS account_key_id FROM ${l.keys} k WHERE false;
    ALTER TABLE keylift.left_keys
      ADD COLUMN attempt integer NOT NULL,
      ADD PRIMARY KEY (attempt, key_id),
      ADD COLUMN reason text NOT NULL,
      ADD COLUMN sqlstate text,
      ADD COLUMN constraint_name text,
      ADD COLUMN source json,
      ADD COLUMN left_at timestamptz NOT NULL DEFAULT clock_timestamp();
    ${copyRowSecurity({ from: l.keys, to: 'keylift.left_keys' })}`,
  };
};
