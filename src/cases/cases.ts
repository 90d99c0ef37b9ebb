import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { keyliftError } from '../errors/keylift-error.js';
import { fixtureError } from './faults.js';
import { inspectFixture, LEGACY_FILE, type Fixture } from './fixture.js';

/**
 * Reads a directory: one case (with a `legacy.json`), or one whose subdirectories are cases.
 *
 * @throws `fixture_invalid` with the faults of all cases, `no_fixtures`, `fixture_unreadable`
 */
export async function readCases(directory: string): Promise<Fixture[]> {
  const directories = await caseDirectories(directory);
  const readings = await Promise.all(
    directories.map(async (one) => ({ name: path.relative(directory, one), ...(await inspectFixture(one)) })),
  );
  const faults = readings.flatMap(({ name, faults: found }) =>
    found.map((fault) => ({ ...fault, file: path.join(name, fault.file) })),
  );
  if (faults.length > 0) throw fixtureError(directory, faults);
  return readings.flatMap(({ fixture }) => (fixture === undefined ? [] : [fixture]));
}

async function caseDirectories(directory: string): Promise<string[]> {
  const entries = await list(directory);
  if (entries.some((entry) => entry.name === LEGACY_FILE)) return [directory];
  const cases = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  if (cases.length === 0) {
    throw keyliftError('no_fixtures', {
      message: `${directory} is neither a case (it has no ${LEGACY_FILE}) nor a folder of cases`,
      facts: { directory },
    });
  }
  return cases.map((entry) => path.join(directory, entry.name)).sort();
}

async function list(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (cause) {
    throw keyliftError('fixture_unreadable', {
      message: `${directory}: keylift cannot read cases there`,
      facts: { directory },
      cause,
    });
  }
}
