import { accessSync, constants, lstatSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { ErrorCode } from '../errors/catalogue.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { kindOf } from './read.js';

/** A file that the operator named for keylift to write, and the error if it cannot be written. */
export interface Output {
  file: string;
  /** What the file is, for the message: `the report`. */
  what: string;
  code: ErrorCode;
}

/**
 * Refuses a file that keylift cannot or may not write, before other work begins.
 *
 * @throws the error of the output
 */
export function checkOutput(output: Output): void {
  statsOfOwn(output);
  try {
    accessSync(path.dirname(output.file), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotWrite(output, error);
  }
}

/**
 * The file that is there now, if any. A symbolic link is not followed, and a file of another user is not touched: another
 * user who can write to the folder could put either there, so that keylift overwrites or fills a file of their choice.
 *
 * @throws the error of the output for anything but a plain file of this user
 */
export function statsOfOwn(output: Output): Stats | undefined {
  const stats = lookAt(output);
  if (stats !== undefined) refuseOther(output, stats);
  return stats;
}

/** @throws the error of the output for anything but a plain file of this user */
export function refuseOther(output: Output, stats: Stats): void {
  if (stats.isSymbolicLink()) throw refusal(output, 'it is a symbolic link');
  if (!stats.isFile()) throw cannotWrite(output, new Error(`it is ${kindOf(stats)}`));
  refuseForeign(output, stats);
}

/** @throws the error of the output for a file or folder of another user */
export function refuseForeign(output: Output, { uid }: Stats): void {
  if (uid !== (process.geteuid?.() ?? uid)) throw refusal(output, `it belongs to another user (uid ${String(uid)})`);
}

/** What is there now, if anything; a link is not followed. @throws the error of the output */
export function lookAt(output: Output): Stats | undefined {
  try {
    return lstatSync(output.file, { throwIfNoEntry: false });
  } catch (error) {
    throw cannotWrite(output, error);
  }
}

/** The refusal of what another user may have put there; it names the folder when other users can write to it. */
export function refusal(output: Output, fault: string): KeyliftError {
  const folder = path.resolve(path.dirname(output.file));
  const others = writersOf(statSync(folder));
  return keyliftError(output.code, {
    message: `${output.what} ${output.file} cannot be written: ${fault}${others === undefined ? '' : `, and ${others} can write to the folder ${folder}`}`,
    facts: { file: output.file, ...(others === undefined ? {} : { folder }) },
    hint: 'Name a file in a folder that only you can write to.',
  });
}

function writersOf({ mode, gid }: Stats): string | undefined {
  if ((mode & constants.S_IWOTH) !== 0) return 'every user';
  return (mode & constants.S_IWGRP) === 0 ? undefined : `the group ${String(gid)}`;
}

const REASONS: Record<string, string> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder does not exist',
  EACCES: 'this user may not write to its folder',
  EPERM: 'this user may not write to its folder',
  EEXIST: 'it exists already',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a symbolic link',
  ENOSPC: 'no space is left on the disk',
  EROFS: 'its file system is read-only',
  ENAMETOOLONG: 'its name is too long',
};

const reasonOf = (errno: string): string => (REASONS[errno] === undefined ? errno : `${REASONS[errno]} (${errno})`);

/** The error of a file that the system does not let keylift write. */
export function cannotWrite({ code, what, file }: Output, cause: unknown): KeyliftError {
  const { code: errno = '', message = String(cause) } = cause as NodeJS.ErrnoException;
  return keyliftError(code, {
    message: `${what} ${file} cannot be written: ${errno === '' ? message : reasonOf(errno)}`,
    facts: { file },
    cause,
  });
}

/** For a rejected promise: throws the error of the output. */
export const failWriting =
  (output: Output) =>
  (error: unknown): never => {
    throw cannotWrite(output, error);
  };
