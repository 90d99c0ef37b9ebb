import { chmod, chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { keyliftError, KeyliftError } from '../errors/keylift-error.js';
import { succeedsAs } from './run-as.js';
import type { RunAs } from './run-as.js';

export interface PlaceOptions {
  /** The directory that the caller wants. Default: a new one. */
  wanted: string | undefined;
  persistent: boolean;
  runAs: RunAs | undefined;
}

/**
 * Creates the server's directory, with mode 0700 and the owner `runAs`: the one that the caller wants, else a new one
 * below `.keylift/` in the current directory, else, where `runAs` cannot access that, a new temporary one.
 *
 * @throws `embedded_directory_unusable`, `embedded_directory_foreign` for a directory that the caller wants;
 *   `embedded_no_directory` when no directory can be used
 */
export async function placeServer({ wanted, persistent, runAs }: PlaceOptions): Promise<string> {
  if (wanted !== undefined) return useWanted(path.resolve(wanted), { persistent, runAs });
  const homes = [
    path.resolve('.keylift'),
    ...[os.tmpdir(), '/tmp', '/var/tmp'].map((dir) => path.join(dir, 'keylift-')),
  ];
  for (const home of homes) {
    const directory = await makeFresh(home, runAs).catch(() => undefined);
    if (directory !== undefined) return directory;
  }
  throw keyliftError('embedded_no_directory', {
    message: 'no directory can be used for the data of the embedded PostgreSQL',
    facts: { tried: homes, ...runAs },
  });
}

async function useWanted(directory: string, { persistent, runAs }: Omit<PlaceOptions, 'wanted'>): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    // Checked before any change: a directory in use must not change its owner.
    await assertUsable(directory, { persistent });
    await handOver(directory, runAs);
    return directory;
  } catch (cause) {
    if (cause instanceof KeyliftError) throw cause;
    throw keyliftError('embedded_directory_unusable', {
      message: `the embedded PostgreSQL cannot use the directory ${directory}`,
      facts: { directory, ...runAs },
      cause,
    });
  }
}

async function assertUsable(directory: string, { persistent }: { persistent: boolean }): Promise<void> {
  const found = await readdir(directory);
  const kept = persistent && found.includes('password') && found.includes('data');
  if (found.length === 0 || kept) return;
  throw keyliftError('embedded_directory_foreign', {
    message: `${directory} is not empty, and no persistent embedded server created it`,
    facts: { directory, persistent },
  });
}

async function makeFresh(home: string, runAs: RunAs | undefined): Promise<string> {
  const prefix = home.endsWith('-') ? home : path.join(home, 'server-');
  await mkdir(path.dirname(prefix), { recursive: true });
  const directory = await mkdtemp(prefix);
  try {
    await handOver(directory, runAs);
    return directory;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function handOver(directory: string, runAs: RunAs | undefined): Promise<void> {
  await chmod(directory, 0o700);
  if (runAs === undefined) return;
  await chown(directory, runAs.uid, runAs.gid);
  // Only an attempt shows it: a closed parent, a user mapping or a file server may prevent access.
  const probe = 'cd "$1" && : > .probe && rm .probe';
  if (!succeedsAs(runAs, '/bin/sh', ['-c', probe, 'sh', directory])) throw new Error(`${directory} is out of reach`);
}
