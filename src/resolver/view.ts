import { quoteIdentifier } from '../config/identifiers.js';
import type { Expression } from '../config/settings.js';
import { sql, type Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { isSwitched } from './cohort.js';
import { accountKeyAnswers, rowsBehind } from './conditions.js';

const COHORTS = '(SELECT r.cohorts FROM keylift.switch_rule r)';

/**
 * The view that an old gateway reads with its unchanged query. It spells the conditions out instead of calling a function:
 * a view's functions run with the reader's rights, its tables with the owner's.
 */
export function perApiKeysView(schema: MappedSchema, { withSwitch }: { withSwitch: boolean }): Statement {
  const { legacy: l } = schema;
  const columns = viewColumns(schema);
  const answers = accountKeyAnswers(schema, COHORTS);
  return {
    title: 'view keylift.per_api_keys',
    text: sql`
      CREATE OR REPLACE VIEW keylift.per_api_keys AS
      SELECT
        ${columns.map((c) => `${c.perApi} AS ${c.name}`).join(',\n')}
      FROM
        ${l.from}
      WHERE ${l.isPerApiKey()}
        ${withSwitch ? notBoth(...(l.apiNeedsAccount ? [] : [l.inStore()]), answers) : ''}
      UNION ALL
      SELECT
        ${columns.map((c) => `${c.perAccount} AS ${c.name}`).join(',\n')}
      FROM ${l.target} t
        CROSS JOIN ${l.apis} a
        ${l.apiNeedsAccount ? `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = t.account_id` : ''}
      WHERE ${l.inStore()}
        AND ${withSwitch ? answeredFromSettings() : 't.origin_api_id IS NULL'}
        -- A held key or an exception answers for its API itself, unless a row behind the account key is earlier.
        AND NOT EXISTS (
          SELECT
          FROM ${l.keys} k
          WHERE ${l.token()} = t.token AND ${l.api()} = ${l.apiId()}
            AND ${l.alive()}
            AND ${l.isPerApiKey()}
            ${withSwitch ? notBoth(answers) : ''}
            AND NOT EXISTS (
              SELECT
              FROM (
                ${rowsBehind({ account: 't', api: l.apiId() })}
              ) had
              WHERE ${l.createdAt()} IS NULL OR (had.created_at, had.id) < (${l.createdAt()}, ${l.id()})
            )
        );`,
  };
}

const notBoth = (...conditions: string[]): string => sql`
  AND NOT (
    ${conditions.join('\nAND ')}
  )`;

const answeredFromSettings = (): string => sql`
  (
    t.origin_api_id IS NULL
    OR ${isSwitched('t.account_id', COHORTS)}
  )`;

interface ViewColumn {
  name: string;
  perApi: string;
  perAccount: string;
}

/** The mapped columns under their legacy names, from either table. */
function viewColumns({ legacy: l, settings, types }: MappedSchema): ViewColumn[] {
  const { keys } = settings.legacy;
  const named = (value: Expression | null, otherwise: string): string =>
    quoteIdentifier(typeof value === 'string' ? value : otherwise);
  const optional = (value: Expression | null, perApi: string, column: string): ViewColumn[] =>
    value === null ? [] : [{ name: named(value, column), perApi, perAccount: `t.${column}` }];
  const apiId = types.api === types.apiId ? l.apiId() : `${l.apiId()}::${types.api}`;
  const columns = [
    { name: quoteIdentifier(keys.id), perApi: l.id(), perAccount: 't.id' },
    { name: named(keys.account, 'account_id'), perApi: l.account(), perAccount: 't.account_id' },
    { name: named(keys.api, 'api_id'), perApi: l.api(), perAccount: apiId },
    ...optional(keys.name, l.name(), 'name'),
    { name: named(keys.token, 'token'), perApi: l.token(), perAccount: 't.token' },
    { name: named(keys.createdAt, 'created_at'), perApi: l.createdAt(), perAccount: 't.created_at' },
    ...optional(keys.lastUsedAt, l.lastUsedAt(), 'last_used_at'),
    ...optional(keys.revokedAt, l.revokedAt(), 'revoked_at'),
    ...optional(keys.expiresAt, l.expiresAt(), 'expires_at'),
    ...l.carry.map((name) => ({ name, perApi: `k.${name}`, perAccount: `t.${name}` })),
  ];
  // One legacy column may be mapped to two values.
  return columns.filter(({ name }, at) => columns.findIndex((other) => other.name === name) === at);
}
