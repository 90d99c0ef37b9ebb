import { closeSync, constants, fchmodSync, fstatSync, openSync, type Stats } from 'node:fs';
import { cannotWrite, refusal, refuseOther, statsOfOwn, type Output } from './placement.js';

/** Names of the process's own streams and of devices: the system put them there, and no other user. */
const SYSTEM = /^\/(dev\/(null|tty|stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/**
 * Opens a file to append to, with mode 0600, also where it existed before. No link is followed, and opening never waits.
 *
 * @param warn called with the reason where the mode cannot be set
 * @returns the file's descriptor
 * @throws the error of the output
 */
export function openToAppend(output: Output, warn: (reason: string) => void): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  if (SYSTEM.test(output.file)) return openOrFail(output, O_WRONLY | O_APPEND);
  statsOfOwn(output);
  const descriptor = openOrFail(output, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    refuseOther(output, stats);
    if (stats.nlink > 1) throw refusal(output, 'it has a second name, a hard link');
    makePrivate(descriptor, stats, warn);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function openOrFail(output: Output, flags: number): number {
  try {
    return openSync(output.file, flags, 0o600);
  } catch (error) {
    throw cannotWrite(output, error);
  }
}

/** Names and ids of keys are for the operator alone. */
function makePrivate(descriptor: number, { mode }: Stats, warn: (reason: string) => void): void {
  if ((mode & 0o077) === 0) return;
  try {
    fchmodSync(descriptor, 0o600);
  } catch (error) {
    warn(`others may read it, and its mode cannot be changed (${String((error as NodeJS.ErrnoException).code)})`);
  }
}
