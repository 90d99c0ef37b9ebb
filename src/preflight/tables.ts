import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { keyIsUnique } from '../mapping/unique-key.js';
import { refuseIf, type Gate, type NamesWorld, type Refusal } from './gate.js';

/** The mapped tables, as the configuration calls them. */
export const SECTIONS = ['keys', 'apis', 'accounts'] as const;
export type Section = (typeof SECTIONS)[number];

interface Facts {
  kind: string;
  inherited: boolean;
  usable: boolean;
  rls: boolean;
}

const FACTS = `
  SELECT c.relkind AS kind, row_security_active(c.oid) AS rls,
    c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) AS inherited,
    EXISTS (
      SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = c.oid AND a.attname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1 AND i.indpred IS NULL) AS usable
  FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass`;

const NOT_A_TABLE: Record<string, string> = { v: 'a view', m: 'a materialized view', f: 'a foreign table' };

/** Can the mapped tables be followed, told apart row by row, and seen whole? */
export const mappedTables: Gate = async (world) => {
  const refusals: Refusal[] = [];
  for (const section of SECTIONS) refusals.push(...(await mappedTable(world, section)));
  return refusals;
};

/** The same of one table. */
export async function mappedTable(world: NamesWorld, section: Section): Promise<Refusal[]> {
  const {
    session,
    schema: {
      legacy: l,
      settings: { legacy },
    },
  } = world;
  const facts = await session.one<Facts>(FACTS, [l[section], legacy[section].id]);
  return [
    ...ofKind(facts, { section, table: l[section] }),
    ...(await ofKey(facts, section, world)),
    ...refuseIf(facts.rls, {
      gate: 'row_security',
      problem: `row-level security hides rows of ${l[section]} from this role`,
      wayOut: 'run as a role with BYPASSRLS, or as the owner without FORCE',
      at: `legacy.${section}.table`,
    }),
  ];
}

function ofKind({ kind, inherited }: Facts, { section, table }: { section: Section; table: string }): Refusal[] {
  const at = `legacy.${section}.table`;
  return [
    ...refuseIf(kind in NOT_A_TABLE, {
      gate: 'key_table',
      problem: `${table} is not a table but ${NOT_A_TABLE[kind] ?? ''}`,
      at,
      wayOut:
        section === 'accounts'
          ? 'map the table itself: no foreign key can point at anything else'
          : 'map the table itself: triggers cannot follow a view, and no index makes its rows unique',
    }),
    ...refuseIf(inherited && section === 'keys', {
      gate: 'key_table',
      problem: `other tables inherit from ${table}`,
      wayOut: 'map one of them, or make them partitions: no index keeps ids apart across them',
      at,
    }),
  ];
}

async function ofKey(
  { kind, usable }: Facts,
  section: Section,
  { session, schema: { legacy: l, settings } }: NamesWorld,
): Promise<Refusal[]> {
  if (kind in NOT_A_TABLE) return [];
  const { id } = settings.legacy[section];
  const at = `legacy.${section}.id`;
  const refuse = (problem: string, wayOut: string): Refusal[] => [{ gate: 'unique_key', problem, wayOut, at }];
  if (section !== 'keys') {
    const why = section === 'apis' ? 'a key must have one API' : 'the foreign key of the new table needs it';
    return usable
      ? []
      : refuse(
          `${l[section]} has no unique index on ${id} alone that is valid, whole and not deferrable`,
          `add one; ${why}`,
        );
  }
  const key = await keyIsUnique(session, settings);
  // Rows that this role may not read are the rights' to tell.
  const { readable } = await session.one<{ readable: boolean }>(
    `SELECT has_table_privilege($1, 'SELECT') AS readable`,
    [l.keys],
  );
  if (key === 'no')
    return refuse(
      `${l.keys} has no unique index on ${id} alone that is valid, whole and not deferrable`,
      'add one; without it no key can be told from another',
    );
  if (!readable) return [];
  const { missing, repeated } = await session.one<{ missing: boolean; repeated: boolean }>(
    rowsToldApart(l, { partitioned: key === 'by partition' }),
  );
  return [
    ...(missing
      ? refuse(`${l.keys} has rows without ${id}`, 'give them one: without it no key can be told from another')
      : []),
    ...(repeated
      ? refuse(
          `${l.keys} has one ${id} in several partitions`,
          'give each row its own: the unique index keeps ids apart within a partition alone',
        )
      : []),
  ];
}

/** Has each row an id? Among partitions also: an id of its own? */
export const rowsToldApart = (l: LegacyFragments, { partitioned }: { partitioned: boolean }): string => sql`
  SELECT
    EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} IS NULL) AS missing,
    ${partitioned ? `EXISTS (SELECT FROM ${l.keys} k GROUP BY ${l.id()} HAVING count(*) > 1)` : 'false'} AS repeated`;

/** The new table's foreign key wants an equality of both types that the accounts' index knows. */
const REFERABLE = `
  SELECT EXISTS (
    SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[0] JOIN pg_catalog.pg_type given ON given.oid = to_regtype($3)
    WHERE i.indrelid = $1::regclass AND a.attname = $2 AND i.indisunique AND i.indnkeyatts = 1 AND (
      given.oid = c.opcintype OR given.typtype IN ('e', 'c', 'r')
      OR EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = given.oid AND casttarget = c.opcintype AND castcontext = 'i')
      OR EXISTS (SELECT FROM pg_catalog.pg_amop o WHERE o.amopfamily = c.opcfamily AND o.amopstrategy = 3 AND o.amoplefttype = c.opcintype AND o.amoprighttype = given.oid))
  ) AS referable`;

/** Could an account key point at its account? */
export const accountType: Gate = async ({ session, schema: { legacy: l, settings, types } }) => {
  const { usable } = await session.one<Facts>(FACTS, [l.accounts, settings.legacy.accounts.id]);
  if (!usable) return [];
  const { referable } = await session.one<{ referable: boolean }>(REFERABLE, [
    l.accounts,
    settings.legacy.accounts.id,
    types.account,
  ]);
  return refuseIf(!referable, {
    gate: 'unique_key',
    problem: `no foreign key can point from an account of type ${types.account} at ${l.accounts}`,
    at: 'legacy.keys.account',
    wayOut: 'map the account as { "sql": … } with a cast to the type of the accounts\' id',
  });
};
