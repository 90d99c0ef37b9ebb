import { randomBytes } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError, type ErrorDetails } from '../errors.js';

type Unwritable = Omit<ErrorDetails, 'anchor'>;

/** Files keylift writes whole, each with the error of a place that takes none. */
const UNWRITABLE = {
  notice: (message: string, details: Unwritable) =>
    new UsageError('notice_unwritable', message, { ...details, anchor: 'command-line-and-configuration' }),
  report: (message: string, details: Unwritable) =>
    new UsageError('report_unwritable', message, { ...details, anchor: 'command-line-and-configuration' }),
  metrics: (message: string, details: Unwritable) =>
    new UsageError('metrics_unwritable', message, { ...details, anchor: 'metrics' }),
  JUnit: (message: string, details: Unwritable) =>
    new UsageError('junit_unwritable', message, { ...details, anchor: 'fixtures-and-the-embedded-server' }),
};

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
 * @throws UsageError `notice_unwritable`, `report_unwritable`, `metrics_unwritable` or `junit_unwritable` by its kind, and whatever `write` throws; `file` is as it was then.
 */
export async function replaceFile<T>(
  replaced: Replaced,
  write: (append: (text: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  const unwritable = (error: unknown): UsageError => cannotWrite(replaced, error);
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
    throw error instanceof UsageError ? error : cannotWrite(replaced, error);
  }
}

/** The error of a place that takes no file. */
export function cannotWrite({ file, kind }: Replaced, cause: unknown): UsageError {
  const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
  return UNWRITABLE[kind](`the ${kind} file ${file} cannot be written: ${reason}`, {
    facts: { file },
    cause,
    hint: 'Name a file in a folder that exists and that you may write.',
  });
}
