import { counted } from '../../format.js';
import type { Section } from '../catalog/tables.js';
import { fine, gate, listed, warning, type Finding, type Judge } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';

/** Row-level security of the mapped tables. */
export const judgeRowSecurity: Judge = (around) =>
  around.tables
    .filter(({ rowSecurity, isPartition }) => rowSecurity.enabled && !isPartition)
    .map((table) => judgeTable(table, around));

function judgeTable(table: FrozenSurroundings['tables'][number], { policies, server }: FrozenSurroundings): Finding {
  const own = policies.filter((policy) => policy.table === table.oid);
  const policyTexts = own.map(
    ({ name, command, roles, permissive }) =>
      `${name} (${permissive ? '' : 'restrictive, '}${command} for ${listed(roles)})`,
  );
  const parts = {
    kind: 'row_security' as const,
    object: `row-level security of ${table.name}`,
    fact: `${table.rowSecurity.forced ? 'forced on the owner, too' : 'enabled'}, ${own.length === 0 ? 'no policy' : `${counted(own.length, 'policy', 'policies')}: ${policyTexts.join('; ')}`}`,
  };
  if (table.rowSecurity.active)
    return gate('row_security', 'run as a role with BYPASSRLS, or as the owner without FORCE', {
      ...parts,
      meets: `it hides rows from ${server.role}, who would move and prove a part of them`,
      phases: ['expand', 'finalize'],
    });
  if (table.section !== 'keys')
    return fine({ ...parts, meets: `${server.role} sees every row`, phases: ['backfill', 'verify'] });
  return warning(
    'create the policies that Settings needs on the new table, and grant authorize and the view to gateways alone',
    {
      ...parts,
      meets:
        'the new table and the archive get row-level security without policies; authorize and the view read with the rights of the operator',
      phases: ['expand', 'mirror'],
    },
  );
}

/** Roles that may do something with the keys, other than the owner. */
export const judgePrivileges: Judge = (around) => {
  const readsKeys = new Set(grantees(around, 'keys'));
  return around.grants.flatMap((grant) => {
    const table = around.tables.find(({ oid }) => oid === grant.table)!;
    if ((table.section !== 'keys' && table.section !== 'target') || table.isPartition) return [];
    const parts = {
      kind: 'privilege' as const,
      object: `privileges of ${grant.grantee} on ${table.name}`,
      fact: `${grant.privileges.join(', ')}${grant.columns.length === 0 ? '' : ` on ${grant.columns.join(', ')}`}`,
    };
    if (table.section === 'target' && !readsKeys.has(grant.grantee) && grant.privileges.includes('SELECT'))
      return [
        warning(`REVOKE SELECT ON ${table.name} FROM ${grant.grantee}, if it must not see tokens`, {
          ...parts,
          meets: 'the new table holds the tokens, and this role has no right on the legacy table',
          phases: ['expand', 'mirror'],
        }),
      ];
    if (grant.grantee === 'PUBLIC')
      return [
        warning(`REVOKE ${grant.privileges.join(', ')} ON ${table.name} FROM PUBLIC`, {
          ...parts,
          meets: 'every role of the database has this right on the tokens; keylift grants PUBLIC nothing',
          phases: ['expand'],
        }),
      ];
    return [
      fine({
        ...parts,
        meets:
          table.section === 'keys'
            ? 'the role gets no right on the new table by this'
            : 'the role may use the new table',
        phases: ['expand'],
      }),
    ];
  });
};

const grantees = ({ tables, grants }: FrozenSurroundings, section: Section): string[] =>
  grants
    .filter(({ table }) => tables.some((one) => one.oid === table && one.section === section))
    .map(({ grantee }) => grantee);

/** Rights that PostgreSQL gives on each object that keylift creates. */
export const judgeDefaultPrivileges: Judge = ({ defaultGrants, server }) =>
  defaultGrants.map((grant) => {
    const parts = {
      kind: 'default_privilege' as const,
      object: `default privileges of ${grant.creator}${grant.schema === null ? '' : ` in schema ${grant.schema}`}`,
      fact: `${grant.grantee} gets ${grant.privileges.join(', ')} on new ${grant.kind}`,
    };
    if (grant.creator !== server.role)
      return fine({ ...parts, meets: `they do not hold for what ${server.role} creates`, phases: [] });
    return fine({
      ...parts,
      meets: 'keylift revokes these rights in the transaction that creates the object',
      phases: ['expand', 'harden', 'finalize'],
    });
  });
