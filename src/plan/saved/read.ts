import { open } from 'node:fs/promises';
import { JsonFault, parseJson } from '../../config/json.js';
import { keyPath } from '../../config/key-path.js';
import { faultsOfStructure, type Fault } from '../../config/structure.js';
import { version } from '../../config/package-root.js';
import { decodeUtf8 } from '../../config/utf8.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { SAVED_PLAN_FORMAT, type SavedPlan } from './document.js';

const MAX_BYTES = 1024 * 1024;
const FAULTS_SHOWN = 20;

/**
 * Reads a saved plan.
 *
 * @throws `saved_plan_unreadable`, `saved_plan_invalid`, or `saved_plan_of_another` where another release wrote it
 */
export async function readSavedPlan(file: string): Promise<SavedPlan> {
  const value = parse(await readText(file), file);
  requireThisRelease(value, file);
  const faults = faultsOfStructure(value, 'saved-plan.schema.json');
  if (faults.length > 0) throw invalid(file, faults.map(faultLine));
  return value as SavedPlan;
}

/** Before the structure is checked: another format has another structure. */
function requireThisRelease(value: unknown, file: string): void {
  const { format, keylift } = (value ?? {}) as { format?: unknown; keylift?: unknown };
  if (typeof format !== 'number' || typeof keylift !== 'string') return;
  if (format === SAVED_PLAN_FORMAT && keylift === version()) return;
  throw keyliftError('saved_plan_of_another', {
    message:
      `keylift ${keylift} wrote the saved plan ${file} (format ${String(format)}), and this is keylift ` +
      `${version()} (format ${String(SAVED_PLAN_FORMAT)}), which may decide other outcomes`,
    facts: { file, plan_keylift: keylift, plan_format: format, keylift: version() },
  });
}

function parse(text: string, file: string): unknown {
  try {
    const { value, duplicates } = parseJson(text);
    if (duplicates.length === 0) return value;
    throw invalid(
      file,
      duplicates.map(({ path }) => faultLine({ path, reason: 'given twice' })),
    );
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw invalid(file, [`not JSON: ${error.message}`]);
  }
}

/** One byte more than allowed at most, so that a device without an end is not read for ever. */
async function readText(file: string): Promise<string> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw unreadable(file, reasonOf(error), error);
  });
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > MAX_BYTES) throw unreadable(file, 'is larger than 1 MiB');
    const { text, fault } = decodeUtf8(buffer.subarray(0, length));
    if (fault !== undefined) throw unreadable(file, fault);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
    throw unreadable(file, reasonOf(error), error);
  } finally {
    await handle.close();
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a folder',
  EACCES: 'may not be read by this user',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? `cannot be read (${code})`;
}

const faultLine = ({ path, reason }: Fault): string => (path.length === 0 ? reason : `${keyPath(path)}: ${reason}`);

const unreadable = (file: string, reason: string, cause?: unknown): KeyliftError =>
  keyliftError('saved_plan_unreadable', { message: `the saved plan ${file} ${reason}`, facts: { file }, cause });

function invalid(file: string, faults: readonly string[]): KeyliftError {
  const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => `\n  ${fault}`);
  return keyliftError('saved_plan_invalid', {
    message: `${file} is not a saved plan:${shown.join('')}`,
    facts: { file, faults: faults.length },
  });
}
