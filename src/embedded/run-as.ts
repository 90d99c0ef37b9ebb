import { execFileSync, spawnSync } from 'node:child_process';

/** The ids a PostgreSQL process runs under, since PostgreSQL refuses to run as root. */
export interface RunAs {
  uid: number;
  gid: number;
}

/** What "nobody" is on practically every system that lacks the name. */
const NOBODY: RunAs = { uid: 65534, gid: 65534 };

/**
 * Finds whom to run PostgreSQL as: undefined (as ourselves) unless we are root; as root the user `postgres`,
 * made if it is missing and can be made, else `nobody`.
 */
export function findRunAs(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp('postgres') ?? create('postgres') ?? lookUp('nobody') ?? NOBODY;
}

/** Whether a short command succeeds under these ids. It starts in `/`, since our own directory may be closed to them. */
export function succeedsAs(runAs: RunAs | undefined, command: string, args: string[]): boolean {
  const done = spawnSync(command, args, { cwd: '/', stdio: 'ignore', timeout: 60_000, ...runAs });
  return done.status === 0;
}

function lookUp(name: string): RunAs | undefined {
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
    const found = { uid: id('-u'), gid: id('-g') };
    // A `postgres` that is another name for root would be refused by PostgreSQL all the same.
    return found.uid > 0 && found.gid >= 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

function create(name: string): RunAs | undefined {
  spawnSync('groupadd', ['--system', name], { stdio: 'ignore' });
  spawnSync('useradd', ['--system', '--no-create-home', '--gid', name, name], { stdio: 'ignore' });
  // Looked up whatever became of it: another process may have made the user in the same moment.
  return lookUp(name);
}
