import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Database } from '../../database/connect.js';
import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import { keyliftError } from '../../errors/keylift-error.js';
import { checkFolder, makeFolder } from '../../files/folder.js';
import { cannotWrite, type Output } from '../../files/placement.js';
import { writeText } from '../../files/write.js';
import { withArchive } from '../../mapping/archive.js';
import { overSource } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { verdicts } from '../../mapping/rules/verdicts.js';
import { holdsOfLedger } from '../../ledger/holds.js';
import { readInstalled } from '../../ledger/installed.js';
import { planParameters } from '../../plan/holds.js';
import type { Outcome } from '../../plan/plan.js';
import { HOLDS_FILE, LEGACY_FILE } from '../fixture.js';
import { escapeUnseen } from '../store.js';
import { accountsFor, keysFor, type Source } from './choose.js';
import { disguise, type DisguisedRows } from './disguise.js';
import { nameLike } from './names.js';

/** The contents of a sample, and its outcomes by the rules in the original database. */
export interface Exported {
  directory: string;
  accounts: number;
  apis: number;
  keys: number;
  held: number;
  outcomes: Record<Outcome, number>;
  exceptions_by_reason: Record<string, number>;
}

export interface ExportOptions {
  /** A folder that does not exist or is empty. */
  directory: string;
  accounts: number;
}

/**
 * Writes a sample of a database as a fixture case in the default tables. Tokens, names and ids are replaced inside
 * PostgreSQL, so that no secret leaves it. Every rule decides as in the original.
 *
 * @throws `export_not_empty`, `export_unwritable`
 */
export async function exportCase(
  database: Database,
  schema: MappedSchema,
  { directory, accounts }: ExportOptions,
): Promise<Exported> {
  await requireEmpty(directory);
  const taken = await database.readOnly((session) => takeSample(session, schema, accounts), {
    isolation: 'repeatable read',
  });
  await write(directory, taken.rows);
  const { rows, ...counts } = taken;
  return {
    directory,
    accounts: rows.accounts.length,
    apis: rows.apis.length,
    keys: rows.keys.length,
    held: rows.held.length,
    ...counts,
  };
}

async function takeSample(
  session: ReadSession,
  mapped: MappedSchema,
  count: number,
): Promise<Pick<Exported, 'outcomes' | 'exceptions_by_reason'> & { rows: DisguisedRows }> {
  const installed = await readInstalled(session, mapped.settings, { visibleOnly: true });
  const holds = await holdsOfLedger(session, installed);
  const schema = await withArchive(session, mapped, installed);
  const { source: held, values } = planParameters(schema, holds);
  const source: Source = { schema, holds: held, values };
  await session.query(`SET LOCAL work_mem = '64MB'`);
  const { timeZone } = schema.settings.legacy.keys;
  // Exports dates without a zone as the times they mean.
  if (timeZone !== undefined) await session.query(`SELECT set_config('timezone', $1, true)`, [timeZone]);
  const chosen = await accountsFor(session, source, count);
  const keys = await keysFor(session, source, chosen);
  const rows = await session.one<DisguisedRows>(disguise(source), [
    ...values,
    keys,
    chosen.filter((id) => id !== null),
  ]);
  return { rows, ...(await outcomesOf(session, source, keys)) };
}

/** The outcomes of the sample by the rules in the original database. The case must have the same. */
async function outcomesOf(
  session: ReadSession,
  { schema: { legacy: l, types }, holds, values }: Source,
  keys: string[],
): Promise<Pick<Exported, 'outcomes' | 'exceptions_by_reason'>> {
  const sample = overSource(l, `(SELECT k.* FROM ${l.keys} k WHERE ${l.id()} = ANY ($3::text[]::${types.id}[]))`);
  const { rows } = await session.query<{ outcome: Outcome; reason: string | null; keys: string }>(
    sql`
      SELECT outcome, reason, count(*) AS keys
      FROM (
        ${verdicts(sample, { holds, rows: 'true' })}) v
      GROUP BY outcome, reason`,
    [...values, keys],
  );
  const found: Pick<Exported, 'outcomes' | 'exceptions_by_reason'> = {
    outcomes: { move: 0, stay: 0, merge: 0, hold: 0, exception: 0 },
    exceptions_by_reason: {},
  };
  for (const { outcome, reason, keys: counted } of rows) {
    found.outcomes[outcome] += Number(counted);
    if (reason !== null) found.exceptions_by_reason[reason] = Number(counted);
  }
  return found;
}

async function requireEmpty(directory: string): Promise<void> {
  checkFolder(outputIn(directory));
  const entries = await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cannotWrite(outputIn(directory), error);
  });
  if (entries.length === 0) return;
  throw keyliftError('export_not_empty', {
    message: `${directory} is not empty; keylift does not overwrite a case`,
    facts: { directory },
  });
}

const outputIn = (file: string): Output => ({ file, what: 'the case', code: 'export_unwritable' });

/** The case is for its owner alone: it is disguised, but people should look at it before they share it. */
async function write(directory: string, { accounts, apis, keys, held }: DisguisedRows): Promise<void> {
  const about =
    `A sample of a real database: ${String(keys.length)} keys. Tokens, names, slugs and ids are replaced; the rules ` +
    'decide as before. Future dates, and last uses within the last 90 days, are two hundred years later.';
  await makeFolder(outputIn(directory));
  const legacy = { about, accounts, apis, keys: keys.map((key) => ({ ...key, name: nameLike(key.name) })) };
  await writeText(outputIn(path.join(directory, LEGACY_FILE)), legacyText(legacy), { exclusive: true });
  const holds = outputIn(path.join(directory, HOLDS_FILE));
  if (held.length > 0) await writeText(holds, `key_id\n${held.join('\n')}\n`, { exclusive: true });
}

/** One row a line, without NULL, as people write fixtures. */
function legacyText({ about, ...tables }: Record<string, unknown> & { about: string }): string {
  const parts = Object.entries(tables).map(([name, rows]) => {
    const lines = (rows as Record<string, unknown>[]).map((row) => {
      const fields = Object.entries(row)
        .filter(([, value]) => value !== null)
        .map(([field, value]) => `${JSON.stringify(field)}: ${JSON.stringify(value)}`);
      return `    { ${fields.join(', ')} }`;
    });
    return `  ${JSON.stringify(name)}: ${lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n  ]`}`;
  });
  return escapeUnseen(`{\n  "about": ${JSON.stringify(about)},\n${parts.join(',\n')}\n}\n`);
}
