import type { Settings } from '../config/settings.js';
import { describeDatabaseError } from '../database/describe.js';
import type { ReadSession } from '../database/session.js';
import { isPermission, sqlStateOf } from '../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { legacyFragments } from './fragments.js';
import { inspectLegacy, type MappedSchema } from './inspect.js';
import { idFaults } from './id-is-token.js';
import { faultLine, faultLines, type MappingFault } from './mapping-fault.js';
import { mappingFaults, unknownZone } from './mapping-faults.js';
import { missingNames } from './missing-names.js';

/**
 * `inspectLegacy` for a configuration nobody has tried yet: says by configuration key what is not there, and
 * whatever else the server says of the operator's expressions as the operator's to mend.
 *
 * @throws `mapping_missing` with all missing tables, columns and zones at once, or `mapping_invalid` with all that
 *   does not fit; `preflight` where this role may not see all rows.
 */
export async function inspectMapping(
  session: ReadSession,
  { settings, configFile }: { settings: Settings; configFile: string | undefined },
): Promise<MappedSchema> {
  const where = configFile ?? 'the default configuration';
  const faults = [...(await missingNames(session, settings)), ...(await unknownZone(session, settings))];
  if (faults.length > 0) {
    throw keyliftError('mapping_missing', {
      message: `${where} names what this database does not have:\n${faults.map((f) => `  ${faultLine(f)}`).join('\n')}`,
    });
  }
  // After an error the faults are still to be asked for.
  await session.query('SAVEPOINT keylift_mapping');
  try {
    await refuseHiddenRows(session, settings);
    const schema = await inspectLegacy(session, settings);
    refuseFaults(await idFaults(session, schema), where);
    return schema;
  } catch (error) {
    const state = sqlStateOf(error) ?? '';
    if (isPermission(error)) throw unreadable(error);
    // 0A: what PostgreSQL has not, such as a DELETE inside an expression.
    if (!/^(42|22|0A)/.test(state)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_mapping');
    const lines = (await mappingFaults(session, settings)).flatMap(faultLines).map((line) => `\n  ${line}`);
    const told = describeDatabaseError(error);
    const said = lines.length > 0 ? lines.join('') : ` ${told.message.replace(/^[^:]*: /, '')}`;
    throw keyliftError('mapping_invalid', {
      message: `${where} does not fit this database:${said}`,
      facts: lines.length > 0 ? { sqlstate: state } : told.facts,
      cause: error,
    });
  }
}

/** Faults of a mapping that PostgreSQL itself takes. */
function refuseFaults(faults: readonly MappingFault[], where: string): void {
  if (faults.length === 0) return;
  const lines = faults.flatMap(faultLines).map((line) => `\n  ${line}`);
  throw keyliftError('mapping_invalid', {
    message: `${where} does not fit this database:${lines.join('')}`,
    hint: 'Map another column as the id; nothing was changed.',
  });
}

/** Whoever sees a part of the rows would call it the whole. What expressions look at besides is asked of the server itself. */
async function refuseHiddenRows(session: ReadSession, settings: Settings): Promise<void> {
  const l = legacyFragments(settings);
  const { rows } = await session.query<{ name: string }>(
    `SELECT t.name FROM unnest($1::text[]) AS t (name) WHERE to_regclass(t.name) IS NOT NULL AND row_security_active(t.name)`,
    [[l.keys, l.apis, l.accounts]],
  );
  await session.query('SET LOCAL row_security = off');
  if (rows.length === 0) return;
  throw keyliftError('preflight', {
    message: `preflight refuses: row-level security hides rows of ${rows.map(({ name }) => name).join(', ')} from this role`,
    facts: {
      gates: rows.map(
        ({ name }) =>
          `row_security: row-level security hides rows of ${name} from this role; run as a role with BYPASSRLS, or as the owner without FORCE`,
      ),
    },
    section: 'gate-row-security',
  });
}

/** The gate for rights, asked before the others can be: without reading the mapped tables nothing can be said of them. */
function unreadable(error: unknown): KeyliftError {
  const problem = describeDatabaseError(error).message.replace(/^[^:]*: /, '');
  return keyliftError('preflight', {
    message: `preflight refuses: ${problem}`,
    facts: {
      gates: [`rights: ${problem}; grant SELECT on it (runbook.md#roles) or run as the role that owns the tables`],
    },
    cause: error,
    section: 'gate-rights',
  });
}
