import { openDatabase, type Database } from '../database/connect.js';
import { accessMatrix } from './access-matrix.js';
import { captureAccess, captureSettings } from './capture.js';
import { readFixture, type Fixture, type LegacyRows } from './fixture.js';
import { createLegacyTables, loadRows } from './load.js';
import { normalize } from './normalize.js';
import type { Captured } from './store.js';

/** keylift's own commands as a case runs them: each works on the database at `url` and returns its JSON. */
export interface SnapshotSteps {
  plan(url: string, holdsFile?: string): Promise<unknown>;
  migrate(url: string, holdsFile?: string): Promise<unknown>;
  verify(url: string): Promise<unknown>;
}

export interface RunCaseOptions {
  /** The case, as a directory or already read. */
  caseDirectory: string | Fixture;
  /** An empty database, used up by this case. */
  url: string;
  steps: SnapshotSteps;
}

/**
 * Runs one case in an empty database: load, plan, migrate, verify; returns what came of it, ready to be held
 * against the snapshots. Access before is captured before anything of keylift is in the database.
 */
export async function runCase({ caseDirectory, url, steps }: RunCaseOptions): Promise<Captured> {
  const fixture = typeof caseDirectory === 'string' ? await readFixture(caseDirectory) : caseDirectory;
  return withDatabase(url, async (database) => {
    await loadFixture(database, fixture.rows);
    return captureMove(database, { holdsFile: fixture.holdsFile, url, steps });
  });
}

/** The default legacy tables with a fixture's rows, in a database that has neither yet. */
export async function loadFixture(database: Database, rows: LegacyRows): Promise<void> {
  await database.transaction(async (session) => {
    await createLegacyTables(session);
    await loadRows(session, rows);
  });
}

/** Plans, migrates and verifies a loaded database and returns the four captures. Also after a rollback. */
export async function captureMove(
  database: Database,
  { holdsFile, url, steps }: { holdsFile: string | undefined; url: string; steps: SnapshotSteps },
): Promise<Captured> {
  const before = await database.readOnly((session) => captureAccess(session, 'old'));
  const plan = await steps.plan(url, holdsFile);
  await steps.migrate(url, holdsFile);
  const verify = await steps.verify(url);
  const settings = await database.readOnly(captureSettings);
  const after = await database.readOnly((session) => captureAccess(session, 'new'));
  return { plan: normalize(plan), settings, access: accessMatrix({ before, after }), verify: normalize(verify) };
}

async function withDatabase<T>(url: string, fn: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(url, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    return await fn(database);
  } finally {
    await database.close();
  }
}
