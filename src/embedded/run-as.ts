import { execFileSync, spawnSync } from 'node:child_process';

/** The ids of the PostgreSQL processes. PostgreSQL refuses to run as root. */
export interface RunAs {
  uid: number;
  gid: number;
}

/** The usual ids of the user without rights, for systems that have no name for it. */
const UNPRIVILEGED: RunAs = { uid: 65534, gid: 65534 };

/**
 * The ids to run PostgreSQL with: undefined for those of this process unless it is root. For root the user `postgres`,
 * which is created if possible, else the user without rights.
 */
export function findRunAs(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp('postgres') ?? create('postgres') ?? lookUp('nobody') ?? UNPRIVILEGED;
}

/** True if a short command succeeds under these ids. It starts in `/`, because they may not access this directory. */
export function succeedsAs(runAs: RunAs | undefined, command: string, args: string[]): boolean {
  const done = spawnSync(command, args, { cwd: '/', stdio: 'ignore', timeout: 60_000, ...runAs });
  return done.status === 0;
}

function lookUp(name: string): RunAs | undefined {
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
    const found = { uid: id('-u'), gid: id('-g') };
    // PostgreSQL also refuses a `postgres` with the id of root.
    return found.uid > 0 && found.gid >= 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

function create(name: string): RunAs | undefined {
  spawnSync('groupadd', ['--system', name], { stdio: 'ignore' });
  spawnSync('useradd', ['--system', '--no-create-home', '--gid', name, name], { stdio: 'ignore' });
  // Looked up also after a failure, because another process may have created the user.
  return lookUp(name);
}
