import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { keyliftError } from '../errors/keylift-error.js';
import type { Settings } from '../config/settings.js';
import { CONFIG_FILE } from '../config/load.js';
import { readCaseSettings } from './case-settings.js';
import { fixtureError, type FixtureFault } from './faults.js';
import { readUtf8 } from './files.js';
import { joinPath, readJsonText } from './json-text.js';
import { faultsOfOwnRows, isOwnForm, ownTablesOf, readSchemaSql, SCHEMA_SQL, type OwnTables } from './own-tables.js';
import { validateLegacy } from './schema.js';

export const LEGACY_FILE = 'legacy.json';
export const HOLDS_FILE = 'holds.csv';
export const SNAPSHOT_DIRECTORY = 'snapshots';
const KNOWN_FILES = [LEGACY_FILE, HOLDS_FILE, SNAPSHOT_DIRECTORY, SCHEMA_SQL, CONFIG_FILE, 'README.md'];

/** A bigint in a fixture; beyond 2^53 only as a string. */
export type FixtureId = string | number;

export interface FixtureAccount {
  id: FixtureId;
  kind: 'user' | 'organization';
  name: string;
  created_at?: string | null;
}

export interface FixtureApi {
  id: FixtureId;
  owner_account_id?: FixtureId | null;
  slug: string;
  name?: string | null;
  kind: 'store' | 'custom';
}

export interface FixtureKey {
  id: FixtureId;
  account_id?: FixtureId | null;
  api_id?: FixtureId | null;
  name?: string | null;
  token?: string | null;
  created_at?: string | null;
  last_used_at?: string | null;
  revoked_at?: string | null;
  expires_at?: string | null;
}

/** The rows of `legacy.json`. Timestamps stay text until PostgreSQL casts them. */
export interface LegacyRows {
  about?: string;
  accounts: FixtureAccount[];
  apis: FixtureApi[];
  keys: FixtureKey[];
}

/** A valid case. */
export interface Fixture {
  /** The directory's own name. */
  name: string;
  directory: string;
  /** Rows of the default tables; none where the case has its own tables. */
  rows: LegacyRows;
  /** The case's own tables and their rows; null for a case in the default tables. */
  own: OwnTables | null;
  /** The configuration of the case; null where there is none. */
  settings: Settings | null;
  /** Path of `holds.csv`, if the case has one. `plan` and `migrate` check its contents. */
  holdsFile: string | undefined;
}

/** The result of reading a case: a fixture, or all its faults. */
export type FixtureReading = { fixture: Fixture; faults: [] } | { fixture: undefined; faults: FixtureFault[] };

/**
 * Reads one case.
 * @throws `fixture_invalid`, naming every fault by file, row and field
 */
export async function readFixture(directory: string): Promise<Fixture> {
  const reading = await inspectFixture(directory);
  if (reading.fixture === undefined) throw fixtureError(directory, reading.faults);
  return reading.fixture;
}

/** Reads one case and returns its faults as values, so that a caller can report those of many cases together. */
export async function inspectFixture(directory: string): Promise<FixtureReading> {
  const entries = await listDirectory(directory);
  const legacy = await readLegacy(directory);
  const own = isOwnForm(legacy.value);
  const configuration = await readCaseSettings(directory, { own });
  const schema = own ? await readSchemaSql(directory) : { text: '', faults: [] };
  const faults = [...entries.flatMap(unknownEntry), ...legacy.faults, ...configuration.faults, ...schema.faults];
  if (faults.length > 0) return { fixture: undefined, faults };
  const holdsFile = entries.includes(HOLDS_FILE) ? path.join(directory, HOLDS_FILE) : undefined;
  return {
    fixture: {
      name: path.basename(path.resolve(directory)),
      directory,
      holdsFile,
      settings: configuration.settings,
      rows: own ? NO_ROWS : (legacy.value as LegacyRows),
      own: own ? { schemaSql: schema.text, tables: ownTablesOf(legacy.value) } : null,
    },
    faults: [],
  };
}

const NO_ROWS: LegacyRows = { accounts: [], apis: [], keys: [] };

/** The parsed `legacy.json`, in either form, with its faults. */
async function readLegacy(directory: string): Promise<{ value: unknown; faults: FixtureFault[] }> {
  const text = await readUtf8(path.join(directory, LEGACY_FILE));
  if (text.fault !== undefined)
    return { value: undefined, faults: [{ file: LEGACY_FILE, path: '', message: text.fault }] };
  const { value, faults } = readJsonText(text.text);
  const found =
    faults.length > 0
      ? faults
      : isOwnForm(value)
        ? faultsOfOwnRows(value)
        : [...validateLegacy(value), ...repetitions(value)];
  return { value, faults: found.map((fault) => ({ file: LEGACY_FILE, ...fault })) };
}

/** Ids are primary keys, and slugs name the columns of the access matrix, so both must be unique. */
function repetitions(value: unknown): { path: string; message: string }[] {
  return [
    ['accounts', 'id'],
    ['apis', 'id'],
    ['apis', 'slug'],
    ['keys', 'id'],
  ].flatMap(([table = '', field = '']) => {
    const seen = new Map<string, string>();
    return rowsOf(value, table).flatMap((row, index) => {
      const written = row[field];
      if (typeof written !== 'string' && typeof written !== 'number') return [];
      const place = joinPath(joinPath(table, index), field);
      const first = seen.get(String(written));
      if (first !== undefined) return [{ path: place, message: `the same as ${first}` }];
      seen.set(String(written), place);
      return [];
    });
  });
}

/** The rows of a value that may not fit the schema. Faults of the schema are reported separately. */
function rowsOf(value: unknown, table: string): Record<string, unknown>[] {
  const rows = isRecord(value) ? value[table] : undefined;
  return Array.isArray(rows) ? rows.map((row: unknown) => (isRecord(row) ? row : {})) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Without this check a misspelt `hold.csv` would silently be a case without holds. */
function unknownEntry(entry: string): FixtureFault[] {
  if (KNOWN_FILES.includes(entry) || entry.startsWith('.')) return [];
  const known = KNOWN_FILES.map((file) => (file === SNAPSHOT_DIRECTORY ? `${file}/` : file)).join(', ');
  return [{ file: entry, path: '', message: `not part of a case (${known})` }];
}

async function listDirectory(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (cause) {
    throw keyliftError('fixture_unreadable', {
      message: `${directory}: keylift cannot read a case there`,
      facts: { directory },
      cause,
    });
  }
}
