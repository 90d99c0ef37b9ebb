import type { Settings } from '../config/settings.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { readCases } from './cases.js';
import type { Difference } from './compare.js';
import type { Fixture } from './fixture.js';
import { runCase, type SnapshotSteps } from './run.js';
import { compareWithStored, writeSnapshots, type Captured } from './store.js';

/** How one case went. */
export interface CaseResult {
  case: string;
  /** The case ran, and nothing differs from its snapshots (for an update: from those just replaced). */
  ok: boolean;
  differences: Difference[];
  /** What stopped the case, when it did not run to its end; its snapshots are then untouched. */
  error?: unknown;
  seconds: number;
}

export interface SnapshotOptions {
  /** One case, or a directory of cases. */
  directory: string;
  /** What a case of this mapping goes through. */
  stepsFor: (settings: Settings) => SnapshotSteps;
  /** The mapping of cases with tables of their own that bring none. Default: the default tables'. */
  settings?: Settings | undefined;
  /** Gives `use` the URL of an empty database and takes the database away afterwards. */
  withScratchDatabase: <T>(use: (url: string) => Promise<T>) => Promise<T>;
  /** Told of each case as it ends, for progress. */
  onCase?: (result: CaseResult) => void;
}

/** Runs every case of a directory and compares. One case's failure does not keep the others from running. */
export function checkSnapshots(options: SnapshotOptions): Promise<CaseResult[]> {
  return overCases(options, async () => undefined);
}

/** Runs every case of a directory and writes its snapshots; the results tell what changed. */
export function updateSnapshots(options: SnapshotOptions): Promise<CaseResult[]> {
  return overCases(options, ({ directory }, captured) => writeSnapshots(directory, captured));
}

type Keep = (fixture: Fixture, captured: Captured) => Promise<void>;

/** All fixtures are read before the first case runs: a fault in the last one is told at once. */
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
    if (endsEverything(error)) throw error;
    return { ...ended(), ok: false, differences: [], error };
  }
}

/** An unreachable server, Ctrl-C, or a role that may make no scratch database would fail every further case the same way. */
function endsEverything(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return true;
  const ending: ExitCode[] = [EXIT.unreachable, EXIT.interrupted];
  return error instanceof KeyliftError && (ending.includes(error.exitCode) || error.code === 'scratch_not_allowed');
}
