import type { Settings } from '../config/settings.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { readCases } from './cases.js';
import type { Difference } from './compare.js';
import type { Fixture } from './fixture.js';
import { runCase, type SnapshotSteps } from './run.js';
import { compareWithStored, writeSnapshots, type Captured } from './store.js';

/** The result of one case. */
export interface CaseResult {
  case: string;
  /** True if the case ran and nothing differs from its snapshots; for an update, from the replaced ones. */
  ok: boolean;
  differences: Difference[];
  /** The error of a case that did not run to its end. Its snapshots do not change. */
  error?: unknown;
  seconds: number;
}

export interface SnapshotOptions {
  /** One case, or a directory of cases. */
  directory: string;
  /** The commands of a case with these settings. */
  stepsFor: (settings: Settings) => SnapshotSteps;
  /** The settings of cases that have their own tables and no configuration. Default: the default settings. */
  settings?: Settings | undefined;
  /** Gives `use` the URL of an empty database and drops the database afterwards. */
  withScratchDatabase: <T>(use: (url: string) => Promise<T>) => Promise<T>;
  /** Called for each case as it ends. */
  onCase?: (result: CaseResult) => void;
}

/** Runs every case of a directory and compares it with its snapshots. A failed case does not stop the others. */
export function checkSnapshots(options: SnapshotOptions): Promise<CaseResult[]> {
  return overCases(options, async () => undefined);
}

/** Runs every case of a directory and writes its snapshots. The results contain the changes. */
export function updateSnapshots(options: SnapshotOptions): Promise<CaseResult[]> {
  return overCases(options, ({ directory }, captured) => writeSnapshots(directory, captured));
}

type Keep = (fixture: Fixture, captured: Captured) => Promise<void>;

/** Reads all fixtures before the first case runs, so that a fault in the last one is reported at once. */
async function overCases(options: SnapshotOptions, keep: Keep): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const fixture of await readCases(options.directory)) {
    const result = await oneCase(fixture, { ...options, keep });
    results.push(result);
    options.onCase?.(result);
  }
  return results;
}

async function oneCase(
  fixture: Fixture,
  { stepsFor, settings, withScratchDatabase, keep }: SnapshotOptions & { keep: Keep },
): Promise<CaseResult> {
  const started = performance.now();
  const ended = (): { case: string; seconds: number } => ({
    case: fixture.name,
    seconds: Math.round(performance.now() - started) / 1000,
  });
  try {
    const captured = await withScratchDatabase((url) => runCase({ caseDirectory: fixture, url, stepsFor, settings }));
    const differences = await compareWithStored(fixture.directory, captured);
    await keep(fixture, captured);
    return { ...ended(), ok: differences.length === 0, differences };
  } catch (error) {
    if (stopsAllCases(error)) throw error;
    return { ...ended(), ok: false, differences: [], error };
  }
}

/** An unreachable server, Ctrl-C, or a role that may not create databases would fail every further case, too. */
function stopsAllCases(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return true;
  const ending: ExitCode[] = [EXIT.unreachable, EXIT.interrupted];
  return error instanceof KeyliftError && (ending.includes(error.exitCode) || error.code === 'scratch_not_allowed');
}
