import { DEFAULT_SETTINGS } from '../config/defaults.js';
import type { Settings } from '../config/settings.js';
import { openDatabase, type Database } from '../database/connect.js';
import { inspectMapping } from '../mapping/fit.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { accessMatrix } from './access-matrix.js';
import { captureAccess, captureSettings } from './capture.js';
import { readFixture, type Fixture, type LegacyRows } from './fixture.js';
import { createLegacyTables, loadRows } from './load.js';
import { loadOwnTables } from './load-own.js';
import { withMove, type MoveOptions } from './move.js';
import { normalize } from './normalize.js';
import type { Captured } from './store.js';

/**
 * keylift's commands as a case runs them: each opens the database at `url`, as a command does, and returns its JSON.
 */
export interface SnapshotSteps {
  plan(url: string, holdsFile?: string): Promise<unknown>;
  migrate(url: string, holdsFile?: string): Promise<unknown>;
  verify(url: string): Promise<unknown>;
}

/** The steps of a case with these settings. */
export function stepsOf(options: Omit<MoveOptions, 'url'>): SnapshotSteps {
  return {
    plan: (url, holdsFile) => withMove({ ...options, url }, (move) => move.plan(holdsFile)),
    migrate: (url, holdsFile) => withMove({ ...options, url }, (move) => move.migrate(holdsFile)),
    verify: (url) => withMove({ ...options, url }, (move) => move.verify()),
  };
}

export interface RunCaseOptions {
  /** The case, as a directory or already read. */
  caseDirectory: string | Fixture;
  /** An empty database, used up by this case. */
  url: string;
  stepsFor: (settings: Settings) => SnapshotSteps;
  /** The mapping of tables that bring none themselves. Default: the default tables'. */
  settings?: Settings | undefined;
}

/**
 * Runs one case in an empty database: load, plan, migrate, verify; returns what came of it, ready to be held
 * against the snapshots. Access before is captured before anything of keylift is in the database.
 *
 * @throws `fixture_unloadable`, `mapping_missing`, `mapping_invalid`
 */
export async function runCase({ caseDirectory, url, stepsFor, settings: given }: RunCaseOptions): Promise<Captured> {
  const fixture = typeof caseDirectory === 'string' ? await readFixture(caseDirectory) : caseDirectory;
  const settings = fixture.settings ?? (fixture.own === null ? DEFAULT_SETTINGS : (given ?? DEFAULT_SETTINGS));
  if (fixture.own !== null) await loadOwnTables(url, fixture.own);
  return withDatabase(url, async (database) => {
    if (fixture.own === null) await loadFixture(database, fixture.rows);
    const mapped = await database.readOnly((session) =>
      inspectMapping(session, { settings, configFile: `the configuration of case ${fixture.name}` }),
    );
    return captureMove(database, { holdsFile: fixture.holdsFile, url, steps: stepsFor(settings), mapped });
  });
}

/** The default legacy tables with a fixture's rows, in a database that has neither yet. */
export async function loadFixture(database: Database, rows: LegacyRows): Promise<void> {
  await database.transaction(
    async (session) => {
      await createLegacyTables(session);
      await loadRows(session, rows);
    },
    { name: 'fixture: load the rows' },
  );
}

/** Plans, migrates and verifies a loaded database and returns the four captures. Also after a rollback. */
export async function captureMove(
  database: Database,
  {
    holdsFile,
    url,
    steps,
    mapped,
  }: { holdsFile: string | undefined; url: string; steps: SnapshotSteps; mapped?: MappedSchema },
): Promise<Captured> {
  const before = await database.readOnly((session) => captureAccess(session, 'old', mapped));
  const plan = await steps.plan(url, holdsFile);
  await steps.migrate(url, holdsFile);
  const verify = await steps.verify(url);
  const settings = await database.readOnly((session) => captureSettings(session, mapped));
  const after = await database.readOnly((session) => captureAccess(session, 'new', mapped));
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
