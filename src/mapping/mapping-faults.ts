import { aliasesIn } from '../config/expressions.js';
import { quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { describeDatabaseError } from '../database/describe.js';
import type { ReadSession } from '../database/session.js';
import { placeWithin } from '../database/statement.js';
import { isPermission, isDatabaseError } from '../database/sqlstate.js';
import { keyColumns } from './columns.js';
import { legacyFragments, type LegacyFragments } from './fragments.js';
import type { MappingFault } from './mapping-fault.js';
import { missingNames, type Section } from './missing-names.js';
import { ON_OWN_PATH } from './search-path.js';
import { faultOfType, type Wanted } from './wanted-types.js';

/** One value, where it is read from, and what it must be. */
interface Trial {
  at: string;
  expression: string;
  /** What the configuration says, where that is an expression. */
  written?: string | undefined;
  from: string;
  needs: readonly Section[];
  wanted: Wanted;
  /** Values it compares: where one has a fault of its own, there is nothing to add. */
  of?: string[];
}

/**
 * All that does not fit, at once: tables and columns that are not there, expressions the server does not take, types
 * that cannot be meant. Every expression is tried by itself; nothing is read but the catalog.
 */
export async function mappingFaults(session: ReadSession, settings: Settings): Promise<MappingFault[]> {
  const missing = await missingNames(session, settings);
  const known = (['keys', 'apis', 'accounts'] as const).filter(
    (section) => !missing.some(({ at }) => at === `legacy.${section}.table`),
  );
  const faults = [...missing];
  const spoilt = (at: string): boolean => faults.some((fault) => fault.at === at || fault.at.startsWith(`${at}[`));
  const l = legacyFragments(settings);
  const types = new Map<string, string>();
  for (const trial of [...trials(l, settings), ...pairs(l)]) {
    if (!trial.needs.every((section) => known.includes(section)) || [trial.at, ...(trial.of ?? [])].some(spoilt))
      continue;
    const { type, fault } = await attempt(session, trial);
    if (type !== undefined) types.set(trial.at, type);
    if (fault !== undefined) faults.push(fault);
  }
  const virtual = known.includes('keys') && !spoilt('legacy.keys.token') ? await virtualToken(session, settings) : [];
  return [...faults, ...virtual, ...(await zoneFaults(session, settings, types))];
}

/** PostgreSQL 18 computes such a column when it is read: no index can find a key by it, no trigger sees it. */
async function virtualToken(session: ReadSession, settings: Settings): Promise<MappingFault[]> {
  const token = (await keyColumns(session, settings)).find(({ name }) => name === settings.legacy.keys.token);
  if (token?.virtual !== true) return [];
  return [
    {
      at: 'legacy.keys.token',
      kind: 'type',
      problem:
        'is a virtual generated column: no index can find keys by it; map what it is computed from, as { "sql": … }',
      didYouMean: null,
    },
  ];
}

const ofZone = (problem: string): MappingFault[] => [
  { at: 'legacy.keys.timeZone', kind: 'type', problem, didYouMean: null },
];

/** A zone that PostgreSQL does not know, also where no mapped date would ever be read in it. */
export async function unknownZone(
  session: ReadSession,
  {
    legacy: {
      keys: { timeZone },
    },
  }: Settings,
): Promise<MappingFault[]> {
  if (timeZone === undefined) return [];
  const { known } = await session.one<{ known: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_catalog.pg_timezone_names WHERE lower(name) = lower($1)) AS known',
    [timeZone],
  );
  return known ? [] : ofZone(`no time zone ${JSON.stringify(timeZone)} in this server's list`);
}

/** A zone that PostgreSQL does not know, or one that nothing is in. */
async function zoneFaults(
  session: ReadSession,
  settings: Settings,
  types: ReadonlyMap<string, string>,
): Promise<MappingFault[]> {
  const unknown = await unknownZone(session, settings);
  if (settings.legacy.keys.timeZone === undefined || unknown.length > 0) return unknown;
  const dates = ['createdAt', 'expiresAt'].flatMap((value) => types.get(`legacy.keys.${value}`) ?? []);
  return dates.length > 0 && dates.every((type) => type === 'timestamp with time zone')
    ? ofZone('the mapped dates have their zone with them; leave it out')
    : [];
}

/** The operator's own SQL of a value; undefined where it is a column's name. */
const writtenOf = (value: unknown): string | undefined =>
  typeof value === 'object' && value !== null && 'sql' in value && typeof value.sql === 'string'
    ? value.sql
    : undefined;

function trials(l: LegacyFragments, { legacy: { keys, apis, accounts } }: Settings): Trial[] {
  const ofKey = (name: keyof typeof keys, expression: string, wanted: Wanted): Trial[] => {
    const value = keys[name];
    if (value === null || value === undefined || Array.isArray(value)) return [];
    const aliases = typeof value === 'string' ? [] : aliasesIn(value.sql, ['a', 'o']);
    const needs: Section[] = ['keys', ...(aliases.length > 0 ? (['apis', 'accounts'] as const) : [])];
    return [{ at: `legacy.keys.${name}`, expression, written: writtenOf(value), from: `${l.keys} k`, needs, wanted }];
  };
  return [
    ...ofKey('id', l.id(), 'id'),
    ...ofKey('token', l.token(), 'token'),
    ...ofKey('name', l.name(), 'text'),
    ...ofKey('createdAt', l.createdAt(), 'date'),
    ...ofKey('lastUsedAt', l.lastUsedAt(), 'date'),
    ...ofKey('revokedAt', l.revokedAt(), 'date'),
    ...ofKey('expiresAt', l.expiresAt(), 'date'),
    ...ofKey('api', l.api(), 'any'),
    ...ofKey('account', l.account(), 'any'),
    ...(keys.where === null ? [] : ofKey('where', `(${keys.where.sql})`, 'condition')),
    {
      at: 'legacy.apis.id',
      expression: l.apiId(),
      written: writtenOf(apis.id),
      from: `${l.apis} a`,
      needs: ['apis'],
      wanted: 'any',
    },
    {
      at: 'legacy.apis.slug',
      expression: l.slug(),
      written: writtenOf(apis.slug),
      from: `${l.apis} a`,
      needs: ['apis'],
      wanted: 'text',
    },
    {
      at: 'legacy.apis.inStore',
      expression: typeof apis.inStore === 'string' ? `a.${quoteIdentifier(apis.inStore)}` : `(${apis.inStore.sql})`,
      written: writtenOf(apis.inStore),
      from: l.apiNeedsAccount ? `${l.apis} a, ${l.accounts} o` : `${l.apis} a`,
      needs: l.apiNeedsAccount ? ['apis', 'accounts'] : ['apis'],
      wanted: 'condition',
    },
    {
      at: 'legacy.accounts.id',
      expression: l.accountId(),
      written: writtenOf(accounts.id),
      from: `${l.accounts} o`,
      needs: ['accounts'],
      wanted: 'any',
    },
    ...(accounts.name === null
      ? []
      : [
          {
            at: 'legacy.accounts.name',
            expression: l.accountName(),
            written: writtenOf(accounts.name),
            from: `${l.accounts} o`,
            needs: ['accounts'],
            wanted: 'text',
          } as const,
        ]),
  ];
}

/** Ids that are compared must be comparable. */
const pairs = (l: LegacyFragments): Trial[] => [
  {
    at: 'legacy.keys.api',
    of: ['legacy.keys.api', 'legacy.apis.id'],
    expression: `${l.apiId()} = ${l.api()}`,
    from: `${l.keys} k, ${l.apis} a`,
    needs: ['keys', 'apis'],
    wanted: 'any',
  },
  {
    at: 'legacy.keys.account',
    of: ['legacy.keys.account', 'legacy.keys.api', 'legacy.accounts.id'],
    expression: `${l.accountId()} = ${l.account()}`,
    from: `${l.keys} k, ${l.accounts} o`,
    needs: ['keys', 'apis', 'accounts'],
    wanted: 'any',
  },
];

/** Its type without domains, and the kind PostgreSQL counts it among. */
const typeQuestion = ({ expression, from }: Trial): string => `
  /* trying a value of the configuration */
  WITH RECURSIVE down AS (
    SELECT t.oid, t.typbasetype, t.typcategory FROM pg_catalog.pg_type t WHERE t.oid = pg_catalog.pg_typeof((SELECT ${expression} FROM ${from} WHERE false))
    UNION ALL SELECT t.oid, t.typbasetype, t.typcategory FROM down JOIN pg_catalog.pg_type t ON t.oid = down.typbasetype)
  SELECT pg_catalog.format_type(oid, NULL) AS type, typcategory AS category FROM down WHERE typbasetype = 0`;

async function attempt(session: ReadSession, trial: Trial): Promise<{ type?: string; fault?: MappingFault }> {
  await session.query(`SAVEPOINT keylift_trial; ${ON_OWN_PATH}`);
  try {
    const { type, category } = await session.one<{ type: string; category: string }>(typeQuestion(trial));
    const problem = faultOfType({ type, category, expression: trial.expression, wanted: trial.wanted });
    return {
      ...(trial.of === undefined ? { type } : {}),
      ...(problem === undefined ? {} : { fault: { at: trial.at, kind: 'type', problem, didYouMean: null } }),
    };
  } catch (error) {
    // What may not be read is the rights' to tell.
    if (isPermission(error)) return {};
    if (!isDatabaseError(error) || !/^(42|22|0A|3F)/.test(error.code ?? '')) throw error;
    const said = describeDatabaseError(error).message.replace(/^[^:]*: /, '');
    const problem = `${said}${error.hint === undefined ? '' : ` (${error.hint})`}`;
    const place = trial.written === undefined ? undefined : placeWithin(error, trial.written);
    const kind = error.code === '42883' && trial.of !== undefined ? 'type' : 'expression';
    return { fault: { at: trial.at, kind, problem, didYouMean: null, ...(place === undefined ? {} : { place }) } };
  } finally {
    await session.query('ROLLBACK TO SAVEPOINT keylift_trial').catch(() => undefined);
  }
}
