import { quoteIdentifier } from '../config/identifiers.js';
import type { ReadSession, WriteSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { SQLSTATE, sqlStateOf } from '../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { refuse } from '../preflight/refuse.js';
import { readForeignKeys, type ForeignKey } from '../surroundings/catalog/foreign-keys.js';

/** Which account keys: a condition over `t`, and its parameters. */
export interface Selection {
  where: string;
  parameters: readonly unknown[];
}

/** An account key that a row of another table references. */
interface Reference {
  foreignKey: string;
  keyId: string;
}

/** Foreign keys to the new table, of whatever shape. @throws `preflight` where this role cannot see all their rows. */
async function foreignKeysToTarget(session: ReadSession, { legacy }: MappedSchema): Promise<ForeignKey[]> {
  const { oid } = await session.one<{ oid: string }>('SELECT $1::regclass::oid::text AS oid', [legacy.target]);
  const keys = (await readForeignKeys(session, [oid])).filter(({ to }) => to.oid === oid);
  refuse(
    keys
      .filter(({ hidden, readable }) => hidden || !readable)
      .map(({ name, from }) => ({
        gate: 'hidden_references',
        problem: `foreign key ${name} of ${from.table} references account keys, and this role cannot see all its rows`,
        wayOut: `run the command as a role that sees every row of ${from.table}`,
      })),
  );
  return keys;
}

const referencedKeys = ({ from, to }: ForeignKey, { legacy: l }: MappedSchema, { where }: Selection): string => {
  const same = from.columns.map((column, at) => `f.${quoteIdentifier(column)} = t.${quoteIdentifier(to.columns[at]!)}`);
  return sql`
    /* looking for references to account keys */
    SELECT DISTINCT t.id::text AS key_id
    FROM ${from.table} f JOIN ${l.target} t ON ${same.join(' AND ')}
    WHERE t.origin_api_id IS NOT NULL AND ${where}`;
};

async function readReferences(
  session: ReadSession,
  schema: MappedSchema,
  { foreignKeys, selection }: { foreignKeys: readonly ForeignKey[]; selection: Selection },
): Promise<Reference[]> {
  const references: Reference[] = [];
  for (const key of foreignKeys) {
    const { rows } = await session.query<{ key_id: string }>(referencedKeys(key, schema, selection), [
      ...selection.parameters,
    ]);
    const foreignKey = `${key.from.table}: ${key.name}`;
    references.push(...rows.map(({ key_id: keyId }) => ({ foreignKey, keyId })));
  }
  return references;
}

/** Ids that an error lists. */
const MOST_LISTED = 20;

function referenced(references: readonly Reference[], cause?: unknown): KeyliftError {
  const keys = [...new Set(references.map(({ keyId }) => keyId))];
  return keyliftError('account_keys_referenced', {
    message: 'rows of other tables reference account keys that the command would delete',
    facts: {
      foreign_keys: [...new Set(references.map(({ foreignKey }) => foreignKey))],
      keys: keys.slice(0, MOST_LISTED),
      keys_in_all: keys.length,
    },
    cause,
  });
}

/**
 * Refuses before any of these account keys is deleted, if a row of another table references one of them.
 *
 * @throws `account_keys_referenced`; `preflight` where row-level security hides rows that may reference them.
 */
export async function refuseReferenced(
  session: ReadSession,
  schema: MappedSchema,
  selection: Selection,
): Promise<void> {
  const foreignKeys = await foreignKeysToTarget(session, schema);
  const references = await readReferences(session, schema, { foreignKeys, selection });
  if (references.length > 0) throw referenced(references);
}

/** The account keys that settling the keys $1 can delete: their own, those of their duplicates, and those of their tokens. */
const settledWith = ({ legacy: l, types }: MappedSchema): string => sql`
  t.id IN (
    SELECT unnest($1::text[]::${types.id}[])
    UNION
    SELECT x.group_key_id FROM keylift.outcomes x WHERE x.key_id = ANY ($1::text[]::${types.id}[])
    UNION
    SELECT b.id
    FROM ${l.keys} k JOIN ${l.target} b ON b.token = ${l.token()}
    WHERE ${l.id()} = ANY ($1::text[]::${types.id}[])
  )`;

/**
 * Runs `settle`, which may delete account keys of the keys `ids`, and refuses if a row of another table lost its account
 * key by that. The caller's transaction then takes everything back. A cascade deletes rows without an error, and a key
 * that is deleted and added again in one statement takes its references along: so references are compared, not keys.
 *
 * @throws `account_keys_referenced`; `preflight` where row-level security hides rows that may reference them.
 */
export async function keepReferences(
  session: WriteSession,
  schema: MappedSchema,
  { ids, settle }: { ids: readonly string[]; settle: () => Promise<unknown> },
): Promise<void> {
  const foreignKeys = await foreignKeysToTarget(session, schema);
  const selection = { where: settledWith(schema), parameters: [ids] };
  const before = foreignKeys.length === 0 ? [] : await lockAndRead(session, schema, { foreignKeys, selection });
  try {
    await settle();
    if (before.length > 0) await session.query('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    if (before.length > 0 && sqlStateOf(error) === SQLSTATE.foreignKeyViolation) throw referenced(before, error);
    throw error;
  }
  const lost = await lostReferences(session, schema, { foreignKeys, before });
  if (lost.length > 0) throw referenced(lost);
}

/** A lock on a key keeps new references out until the transaction ends. */
async function lockAndRead(
  session: WriteSession,
  schema: MappedSchema,
  { foreignKeys, selection }: { foreignKeys: readonly ForeignKey[]; selection: Selection },
): Promise<Reference[]> {
  await session.query(
    sql`
      /* locking account keys that may be deleted */
      SELECT FROM ${schema.legacy.target} t WHERE ${selection.where} ORDER BY t.id FOR UPDATE`,
    [...selection.parameters],
  );
  return readReferences(session, schema, { foreignKeys, selection });
}

async function lostReferences(
  session: ReadSession,
  schema: MappedSchema,
  { foreignKeys, before }: { foreignKeys: readonly ForeignKey[]; before: readonly Reference[] },
): Promise<Reference[]> {
  if (before.length === 0) return [];
  const selection = {
    where: `t.id = ANY ($1::text[]::${schema.types.id}[])`,
    parameters: [before.map(({ keyId }) => keyId)],
  };
  const after = await readReferences(session, schema, { foreignKeys, selection });
  const left = new Set(after.map(({ foreignKey, keyId }) => `${foreignKey} ${keyId}`));
  return before.filter(({ foreignKey, keyId }) => !left.has(`${foreignKey} ${keyId}`));
}
