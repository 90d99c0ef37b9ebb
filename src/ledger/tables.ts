import { copyRowSecurity, createSchema, rightsFunction } from '../database/rights.js';
import { sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { controlTable } from './control-table.js';
import { leftKeysTable } from './left-keys.js';

/**
 * The ledger's tables. Its key columns take type and collation from the legacy key table, so that ranges of text ids are
 * ordered as the operator's own index orders them. A domain's rules do not apply to them: a range may have no lower end.
 */
export const ledgerTables = (schema: MappedSchema): Statement[] => [
  createSchema,
  rightsFunction,
  migrationTable,
  runsTable,
  controlTable,
  batchesTable(schema),
  ...outcomeTables(schema),
  holdsTable(schema),
  ...switchTables(schema),
  overlapsTable(schema),
  leftKeysTable(schema),
  proofsTable,
  eventsTable,
];

export const dropLedgerTables: Statement = {
  title: 'drop the ledger',
  text: sql`
    DROP TABLE IF EXISTS keylift.events, keylift.proofs, keylift.left_keys, keylift.overlaps, keylift.switched_accounts,
      keylift.switch_rule, keylift.holds, keylift.listed_keys, keylift.change_log, keylift.proof_duplicates,
      keylift.outcomes, keylift.batches, keylift.control, keylift.runs, keylift.migration;
    DROP FUNCTION IF EXISTS keylift.revoke_from_others(text, oid, oid);`,
};

/** The id of a key and of an account, as columns without a domain. */
const idOf = ({ legacy: l, types }: MappedSchema): string => `(${l.id()})::${types.id}`;
const accountOf = ({ legacy: l, types }: MappedSchema): string => `(${l.account()})::${types.account}`;

const migrationTable: Statement = {
  title: 'table keylift.migration',
  text: sql`
    CREATE TABLE keylift.migration (
      singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
      attempt integer NOT NULL DEFAULT 0,
      stage text CHECK (stage IN ('expand', 'backfill', 'harden', 'verify', 'switch', 'finalize')),
      state text NOT NULL DEFAULT 'active' CHECK (state IN (
        'active', 'rolling_back', 'rolled_back', 'finalizing', 'finalized', 'restoring', 'purged')),
      settings jsonb NOT NULL,
      searched boolean NOT NULL DEFAULT false,
      mirror integer NOT NULL DEFAULT 0,
      mirror_on boolean NOT NULL DEFAULT false,
      started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      seconds double precision NOT NULL DEFAULT 0
    );`,
};

const runsTable: Statement = {
  title: 'table keylift.runs',
  text: sql`
    CREATE TABLE keylift.runs (
      run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      command text NOT NULL,
      host text NOT NULL,
      pid integer NOT NULL,
      database_user text NOT NULL DEFAULT session_user,
      version text NOT NULL,
      attempt integer,
      started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
      ended_at timestamptz,
      -- The command line, a list of texts; what may be a secret is masked. NULL: a caller of the package.
      arguments jsonb,
      -- What the command line asked for: the last stage, how many batches at once, how long each.
      pace jsonb,
      waiting_for text,
      waiting_kind text,
      waiting_since timestamptz,
      lookups jsonb,
      exit_code integer,
      error_code text,
      result jsonb
    );`,
};

const batchesTable = (schema: MappedSchema): Statement => ({
  title: 'table keylift.batches',
  text: sql`
    CREATE TABLE keylift.batches AS
    SELECT ${idOf(schema)} AS after_id, ${idOf(schema)} AS upto_id FROM ${schema.legacy.keys} k WHERE false;
    ALTER TABLE keylift.batches
      ADD COLUMN batch_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      ADD COLUMN attempt integer NOT NULL DEFAULT 0,
      ADD COLUMN state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'failed', 'done', 'taken_back')),
      ADD COLUMN open boolean GENERATED ALWAYS AS (state IN ('pending', 'failed')) STORED,
      ADD COLUMN run_id uuid,
      ADD COLUMN tries integer NOT NULL DEFAULT 0,
      ADD COLUMN rows bigint NOT NULL DEFAULT 0,
      ADD COLUMN moved bigint NOT NULL DEFAULT 0,
      ADD COLUMN stayed bigint NOT NULL DEFAULT 0,
      ADD COLUMN set_aside bigint NOT NULL DEFAULT 0,
      ADD COLUMN seconds double precision,
      ADD COLUMN finished_at timestamptz,
      ADD COLUMN sqlstate text;
    CREATE INDEX batches_pending ON keylift.batches (batch_no) WHERE state = 'pending';`,
});

const outcomeTables = (schema: MappedSchema): Statement[] => {
  const { legacy: l, types } = schema;
  const id = idOf(schema);
  return [
    {
      title: 'table keylift.outcomes',
      text: sql`
        CREATE TABLE keylift.outcomes AS
        SELECT ${id} AS key_id, ${id} AS account_key_id, ${id} AS group_key_id
        FROM ${l.keys} k
        WHERE false;
        ALTER TABLE keylift.outcomes
          ADD PRIMARY KEY (key_id),
          ADD COLUMN outcome text NOT NULL CHECK (outcome IN ('merge', 'hold', 'exception')),
          ADD COLUMN reason text CHECK ((reason IS NULL) = (outcome <> 'exception')),
          ADD COLUMN source json,
          -- What a merged row opened, and since when: still needed when the row is archived and source is purged.
          ADD COLUMN opened_api_id ${types.api},
          ADD COLUMN opened_since ${types.createdAt},
          ADD COLUMN settled_at timestamptz NOT NULL DEFAULT clock_timestamp();
        CREATE INDEX outcomes_merged ON keylift.outcomes (account_key_id) WHERE outcome = 'merge';
        -- The first of the duplicates that a key was decided with: when one of them changes, all are decided again.
        CREATE INDEX outcomes_group ON keylift.outcomes (group_key_id) WHERE group_key_id IS NOT NULL;
        -- Merged rows are kept whole, with their tokens.
        ${copyRowSecurity({ from: l.keys, to: 'keylift.outcomes' })}`,
    },
    {
      title: 'table keylift.listed_keys',
      text: sql`
        -- Keys that no batch copies, since a batch looks at each key alone: duplicates, and keys without an account.
        CREATE TABLE keylift.listed_keys AS
        SELECT ${id} AS key_id FROM ${l.keys} k WHERE false;
        ALTER TABLE keylift.listed_keys ADD PRIMARY KEY (key_id), ADD COLUMN page integer NOT NULL;
        CREATE INDEX listed_keys_page ON keylift.listed_keys (page);`,
    },
    {
      title: 'table keylift.change_log',
      text: sql`
        -- Ids of the keys that were changed while the backfill copied. Entries are added and taken, never looked up.
        CREATE TABLE keylift.change_log AS
        SELECT ${id} AS key_id FROM ${l.keys} k WHERE false;
        ALTER TABLE keylift.change_log REPLICA IDENTITY FULL;`,
    },
    {
      title: 'table keylift.proof_duplicates',
      text: sql`
        -- What a proof finds out about duplicates; each proof fills it anew, so a crash may empty it.
        CREATE UNLOGGED TABLE keylift.proof_duplicates AS
        SELECT ${id} AS key_id, ${id} AS keeper_id FROM ${l.keys} k WHERE false;
        ALTER TABLE keylift.proof_duplicates
          ADD PRIMARY KEY (key_id),
          ADD COLUMN expected text,
          ADD COLUMN reason text,
          ADD COLUMN opened bigint NOT NULL;`,
    },
  ];
};

const holdsTable = (schema: MappedSchema): Statement => ({
  title: 'table keylift.holds',
  text: sql`
    CREATE TABLE keylift.holds AS
    SELECT ${idOf(schema)} AS key_id, ${accountOf(schema)} AS account_id
    FROM
      ${schema.legacy.from}
    WHERE false;
    -- A table without a primary key could not be deleted from while a publication FOR ALL TABLES exists.
    ALTER TABLE keylift.holds ADD COLUMN by_rollback boolean NOT NULL DEFAULT false, REPLICA IDENTITY FULL;
    CREATE UNIQUE INDEX holds_key ON keylift.holds (key_id) WHERE key_id IS NOT NULL;
    CREATE UNIQUE INDEX holds_account ON keylift.holds (account_id) WHERE account_id IS NOT NULL;`,
});

const switchTables = (schema: MappedSchema): Statement[] => [
  {
    title: 'table keylift.switch_rule',
    text: sql`
      CREATE TABLE keylift.switch_rule (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        mode text NOT NULL DEFAULT 'none' CHECK (mode IN ('none', 'some', 'all')),
        cohorts int4multirange NOT NULL DEFAULT '{}'
      );
      INSERT INTO keylift.switch_rule DEFAULT VALUES;`,
  },
  {
    title: 'table keylift.switched_accounts',
    text: sql`
      CREATE TABLE keylift.switched_accounts AS
      SELECT ${accountOf(schema)} AS account_id
      FROM
        ${schema.legacy.from}
      WHERE false;
      ALTER TABLE keylift.switched_accounts ADD PRIMARY KEY (account_id), ADD COLUMN switched boolean NOT NULL;`,
  },
];

const overlapsTable = (schema: MappedSchema): Statement => ({
  title: 'table keylift.overlaps',
  text: sql`
    -- Held keys and exceptions whose token an account key has, too: while there is one, authorize looks at both tables.
    CREATE TABLE keylift.overlaps AS
    SELECT ${idOf(schema)} AS key_id FROM ${schema.legacy.keys} k WHERE false;
    ALTER TABLE keylift.overlaps ADD PRIMARY KEY (key_id);`,
});

const proofsTable: Statement = {
  title: 'table keylift.proofs',
  text: sql`
    CREATE TABLE keylift.proofs (
      proof_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run_id uuid,
      attempt integer,
      proven_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      ok boolean NOT NULL,
      document jsonb NOT NULL
    );`,
};

const eventsTable: Statement = {
  title: 'table keylift.events',
  text: sql`
    CREATE TABLE keylift.events (
      event_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      run_id uuid,
      actor text NOT NULL DEFAULT session_user,
      kind text NOT NULL,
      facts jsonb NOT NULL DEFAULT '{}'
    );`,
};
