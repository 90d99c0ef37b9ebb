import { chmod, chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { keyliftError, KeyliftError } from '../errors/keylift-error.js';
import { succeedsAs } from './run-as.js';
import type { RunAs } from './run-as.js';

export interface PlaceOptions {
  /** The directory asked for; without it, a fresh one is made. */
  asked: string | undefined;
  persistent: boolean;
  runAs: RunAs | undefined;
}

/**
 * Makes the server's own directory, mode 0700 and owned by whom it runs as: the one asked for, else a fresh one below
 * `.keylift/` in the current directory, else, where `runAs` cannot get there, a fresh one for temporary files.
 *
 * @throws `embedded_directory_unusable`, `embedded_directory_foreign` for a directory asked for;
 *   `embedded_no_directory` when no place is left
 */
export async function placeServer({ asked, persistent, runAs }: PlaceOptions): Promise<string> {
  if (asked !== undefined) return takeAsked(path.resolve(asked), { persistent, runAs });
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

async function takeAsked(directory: string, { persistent, runAs }: Omit<PlaceOptions, 'asked'>): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    // Looked at before anything is changed: a directory that somebody uses must not change hands.
    await assertForUs(directory, { persistent });
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

async function assertForUs(directory: string, { persistent }: { persistent: boolean }): Promise<void> {
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
  // Only trying tells: a closed parent, a container's user mapping and a file server can each be in the way.
  const probe = 'cd "$1" && : > .probe && rm .probe';
  if (!succeedsAs(runAs, '/bin/sh', ['-c', probe, 'sh', directory])) throw new Error(`${directory} is out of reach`);
}
