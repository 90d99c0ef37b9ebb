import { randomBytes } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ErrorCode } from '../errors/catalogue.js';
import { keyliftError, KeyliftError } from '../errors/keylift-error.js';

/** The files that keylift writes whole, each with the code of the error if it cannot. */
const UNWRITABLE = {
  notice: 'notice_unwritable',
  keys: 'list_unwritable',
  'dormant keys': 'list_unwritable',
  'saved plan': 'saved_plan_unwritable',
  report: 'report_unwritable',
  metrics: 'metrics_unwritable',
  JUnit: 'junit_unwritable',
} as const satisfies Record<string, ErrorCode>;

export interface Replaced {
  file: string;
  kind: keyof typeof UNWRITABLE;
  /** Default 0600: its owner alone. Wider for what has neither names nor ids in it. */
  mode?: number;
}

/**
 * Hands `write` a new file with its mode, and puts it in the place of `file` once it is whole and on
 * the disk: whoever looks finds the old content or the new, never half.
 *
 * @throws the code of its kind, and whatever `write` throws; `file` is as it was then.
 */
export async function replaceFile<T>(
  replaced: Replaced,
  write: (append: (text: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  const unwritable = (error: unknown): KeyliftError => cannotWrite(replaced, error);
  const place = await placeOf(replaced);
  const draft = path.join(path.dirname(place), `.${path.basename(place)}.${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
    throw unwritable(error);
  });
  try {
    let result: T;
    try {
      // What the process masks is not what was asked for.
      if (replaced.mode !== undefined) await handle.chmod(replaced.mode);
      result = await write(async (text) => {
        await handle.appendFile(text).catch((error: unknown) => {
          throw unwritable(error);
        });
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, place).catch((error: unknown) => {
      throw unwritable(error);
    });
    return result;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Where the file is or will be: a symbolic link leads on, and what is there must be a plain file. */
async function placeOf(replaced: Replaced): Promise<string> {
  try {
    const place = await realpath(replaced.file);
    if (!(await stat(place)).isFile()) throw cannotWrite(replaced, new Error('it is there and is not a plain file'));
    return place;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return replaced.file;
    throw error instanceof KeyliftError ? error : cannotWrite(replaced, error);
  }
}

/** The error of a place that takes no file. */
export function cannotWrite({ file, kind }: Replaced, cause: unknown): KeyliftError {
  const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
  return keyliftError(UNWRITABLE[kind], {
    message: `the ${kind} file ${file} cannot be written: ${reason}`,
    facts: { file },
    cause,
  });
}
