import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../errors.js';
import { readUtf8 } from './files.js';
import { joinPath, readJsonText } from './json-text.js';
import { validateLegacy } from './schema.js';

export const LEGACY_FILE = 'legacy.json';
export const HOLDS_FILE = 'holds.csv';
export const SNAPSHOT_DIRECTORY = 'snapshots';
const README_FILE = 'README.md';

/** A bigint as a fixture writes it: beyond 2^53 only as a string. */
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

/** One case, read and found valid. */
export interface Fixture {
  /** The directory's own name. */
  name: string;
  directory: string;
  rows: LegacyRows;
  /** Path of the case's `holds.csv`, when it has one. Its contents are for `plan` and `migrate` to judge. */
  holdsFile: string | undefined;
}

/** One thing wrong in a case: where (file, and path inside it, which may be empty) and what. */
export interface FixtureFault {
  file: string;
  path: string;
  message: string;
}

/** A case's directory read: a fixture, or everything that is wrong with it. */
export type FixtureReading = { fixture: Fixture; faults: [] } | { fixture: undefined; faults: FixtureFault[] };

/**
 * Reads one case.
 * @throws UsageError `fixture_invalid`, naming every fault by file, row and field
 */
export async function readFixture(directory: string): Promise<Fixture> {
  const reading = await inspectFixture(directory);
  if (reading.fixture === undefined) throw fixtureError(directory, reading.faults);
  return reading.fixture;
}

/** Reads one case and returns its faults as values, so that a caller with many cases reports all at once. */
export async function inspectFixture(directory: string): Promise<FixtureReading> {
  const entries = await listDirectory(directory);
  const faults = entries.flatMap(unknownEntry);
  const { rows, faults: rowFaults } = await readRows(directory);
  faults.push(...rowFaults);
  if (rows === undefined || faults.length > 0) return { fixture: undefined, faults };
  const holdsFile = entries.includes(HOLDS_FILE) ? path.join(directory, HOLDS_FILE) : undefined;
  return { fixture: { name: path.basename(path.resolve(directory)), directory, rows, holdsFile }, faults: [] };
}

/** The error for one case, or for a directory of cases when the faults' files carry the case's name. */
export function fixtureError(directory: string, faults: readonly FixtureFault[]): UsageError {
  const lines = faults.map(describeFault);
  const count = lines.length === 1 ? 'one fault' : `${String(lines.length)} faults`;
  return new UsageError('fixture_invalid', `${directory}: ${count} in the fixture\n  ${lines.join('\n  ')}`, {
    facts: { directory, faults: lines },
    hint: 'Correct the places named; schemas/fixture.schema.json describes the file.',
  });
}

/** `legacy.json: keys[3].created_at: not a timestamp` */
export function describeFault({ file, path: place, message }: FixtureFault): string {
  return [file, place, message].filter((part) => part !== '').join(': ');
}

async function readRows(directory: string): Promise<{ rows: LegacyRows | undefined; faults: FixtureFault[] }> {
  const text = await readUtf8(path.join(directory, LEGACY_FILE));
  if (text.fault !== undefined) return { rows: undefined, faults: [{ file: LEGACY_FILE, path: '', message: text.fault }] };
  const reading = readJsonText(text.text);
  const found = reading.faults.length > 0 ? reading.faults : [...validateLegacy(reading.value), ...repetitions(reading.value)];
  const faults = found.map((fault) => ({ file: LEGACY_FILE, ...fault }));
  return { rows: faults.length > 0 ? undefined : (reading.value as LegacyRows), faults };
}

/** Ids are primary keys and slugs name the columns of the access matrix: neither may come twice. */
function repetitions(value: unknown): { path: string; message: string }[] {
  return [['accounts', 'id'], ['apis', 'id'], ['apis', 'slug'], ['keys', 'id']].flatMap(([table = '', field = '']) => {
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

/** Looks into a value that may not fit the schema: the schema's faults are reported beside these. */
function rowsOf(value: unknown, table: string): Record<string, unknown>[] {
  const rows = isRecord(value) ? value[table] : undefined;
  return Array.isArray(rows) ? rows.map((row: unknown) => (isRecord(row) ? row : {})) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A misspelt `hold.csv` would silently be a case without holds. */
function unknownEntry(entry: string): FixtureFault[] {
  if ([LEGACY_FILE, HOLDS_FILE, SNAPSHOT_DIRECTORY, README_FILE].includes(entry) || entry.startsWith('.')) return [];
  return [{ file: entry, path: '', message: `not part of a case (${LEGACY_FILE}, ${HOLDS_FILE}, ${SNAPSHOT_DIRECTORY}/)` }];
}

async function listDirectory(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (cause) {
    throw new UsageError('fixture_unreadable', `${directory}: no fixture case can be read there`, {
      facts: { directory },
      cause,
    });
  }
}
