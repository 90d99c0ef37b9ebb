import path from 'node:path';
import { CONFIG_FILE } from '../config/load.js';
import { parseSettings } from '../config/parse.js';
import type { Settings } from '../config/settings.js';
import type { FixtureFault } from './faults.js';
import { MISSING } from '../files/read.js';
import { readUtf8 } from './files.js';
import { EXIT } from '../errors/exit-codes.js';
import { hasExit } from '../errors/keylift-error.js';

/**
 * The configuration in the folder of a case or, for a case with its own tables, in the folder above; null where there
 * is none.
 */
export async function readCaseSettings(
  directory: string,
  { own }: { own: boolean },
): Promise<{ settings: Settings | null; faults: FixtureFault[] }> {
  for (const folder of [directory, ...(own ? [path.dirname(path.resolve(directory))] : [])]) {
    const file = path.join(folder, CONFIG_FILE);
    const { text, fault } = await readUtf8(file);
    if (fault === MISSING) continue;
    if (text === undefined) return { settings: null, faults: [{ file: CONFIG_FILE, path: '', message: fault }] };
    return parse(text, file);
  }
  return { settings: null, faults: [] };
}

function parse(text: string, file: string): { settings: Settings | null; faults: FixtureFault[] } {
  try {
    return { settings: parseSettings(text, { file }), faults: [] };
  } catch (error) {
    if (!hasExit(error, EXIT.usage)) throw error;
    return { settings: null, faults: [{ file: CONFIG_FILE, path: '', message: error.message }] };
  }
}
