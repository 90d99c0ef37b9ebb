import { JsonFault, parseJson } from '../../config/json.js';
import { keyPath } from '../../config/key-path.js';
import { faultsOfStructure, type Fault } from '../../config/structure.js';
import { version } from '../../config/package-root.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { readText } from '../../files/read.js';
import { SAVED_PLAN_FORMAT, type SavedPlan } from './document.js';

const MAX_MIB = 1;
const FAULTS_SHOWN = 20;

/**
 * Reads a saved plan.
 *
 * @throws `saved_plan_unreadable`, `saved_plan_invalid`, or `saved_plan_of_another` where another release wrote it
 */
export async function readSavedPlan(file: string): Promise<SavedPlan> {
  const text = await readText({ file, what: 'the saved plan', code: 'saved_plan_unreadable', maxMiB: MAX_MIB });
  const value = parse(text, file);
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

const faultLine = ({ path, reason }: Fault): string => (path.length === 0 ? reason : `${keyPath(path)}: ${reason}`);

function invalid(file: string, faults: readonly string[]): KeyliftError {
  const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => `\n  ${fault}`);
  return keyliftError('saved_plan_invalid', {
    message: `${file} is not a saved plan:${shown.join('')}`,
    facts: { file, faults: faults.length },
  });
}
