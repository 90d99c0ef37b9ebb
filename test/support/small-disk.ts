import { spawnSync } from 'node:child_process';
import { mkdtemp, rmdir, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findRunAs } from '../../src/embedded/run-as.js';
import { Watchdog } from '../../src/embedded/watchdog.js';
import { until } from './waiting.js';

/** A file system of a few megabytes, which goes when this process goes, whichever way that is. */
export interface SmallDisk {
  path: string;
  /** Takes all free space but so many bytes away, as others on the disk would. */
  squeeze(options: { leave: number }): Promise<void>;
  /** Makes room. */
  grow(): void;
  remove(): Promise<void>;
}

/** Why no file system can be mounted here, or null where one can; the gate insists on it. */
export const NO_DISK = whyNot();

const PAGE = 4_096;
const ROOM = '256m';

/** Mounts, says so, and unmounts at the first signal: the watchdog sends one when this process has ended. */
const KEEPER = `
trap 'umount -l "$1"; exit' INT TERM
mount -t tmpfs -o "size=$2,mode=0700,uid=$3,gid=$4" keylift-test "$1" && echo mounted || exit 1
while :; do sleep 0.2; done`;

function whyNot(): string | null {
  const reason =
    process.platform !== 'linux'
      ? 'not on Linux'
      : process.getuid?.() !== 0
        ? 'only root may mount a file system'
        : mountable();
  if (reason !== null && process.env['KEYLIFT_TEST_EXTRAS'] === 'required') throw new Error(`no small disk: ${reason}`);
  return reason;
}

/** In a mount namespace of its own, so that a look leaves nothing behind. */
function mountable(): string | null {
  const { status, stderr, error } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'keylift-test', '/mnt'], {
    encoding: 'utf8',
  });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}

export async function mountSmallDisk(): Promise<SmallDisk> {
  const { uid, gid } = findRunAs() ?? { uid: 0, gid: 0 };
  const place = await mkdtemp(path.join(os.tmpdir(), 'keylift-disk-'));
  const watchdog = new Watchdog(undefined);
  const keeper = await watchdog.run({
    file: '/bin/sh',
    args: ['-c', KEEPER, 'sh', place, ROOM, String(uid), String(gid)],
    cwd: '/',
    log: '/dev/null',
    runAs: undefined,
  });
  await until('the disk to be mounted', () => keeper.ended !== undefined || isMounted(place));
  if (keeper.ended !== undefined) throw new Error(`the disk was not mounted: ${JSON.stringify(keeper.ended)}`);
  const resize = (size: string): void => {
    const { status, stderr } = spawnSync('mount', ['-o', `remount,size=${size}`, place], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  return {
    path: place,
    squeeze: async ({ leave }) => {
      const { blocks, bfree } = await statfs(place);
      resize(String(Math.max(PAGE, (blocks - bfree) * PAGE + leave))); // a size of 0 is no limit
    },
    grow: () => {
      resize(ROOM);
    },
    remove: async () => {
      await watchdog.end();
      await rmdir(place);
    },
  };
}

const isMounted = (place: string): boolean => spawnSync('mountpoint', ['-q', place]).status === 0;
