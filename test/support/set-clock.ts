import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Debian's libfaketime, or null where it is not installed; the gate insists on it. */
export const FAKETIME = findLibrary();

function findLibrary(): string | null {
  const folders = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').map((name) => path.join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'))
    : [];
  const found = folders.find((file) => existsSync(file));
  if (found === undefined && process.env['KEYLIFT_TEST_EXTRAS'] === 'required')
    throw new Error('libfaketime is not installed (Debian: apt-get install libfaketime)');
  return found ?? null;
}

/** The wall clock of a child process, as whoever sets a machine's clock would set it. Its monotonic clock runs on. */
export interface ProcessClock {
  /** For the child's environment. */
  env: Record<string, string>;
  /** `+1h`, `-2h`: from now on, so much away from the true time. */
  set(offset: string): void;
}

export function processClock({ folder, offset }: { folder: string; offset: string }): ProcessClock {
  const file = path.join(folder, 'clock');
  const set = (to: string): void => {
    writeFileSync(`${file}.new`, `${to}\n`);
    renameSync(`${file}.new`, file); // read at every look: never half a line
  };
  set(offset);
  return {
    env: {
      LD_PRELOAD: FAKETIME!,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    set,
  };
}
