import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { DEFAULT_SETTINGS } from './defaults.js';
import { JsonFault, parseJson, type ParsedJson } from './json.js';
import { keyPath } from './key-path.js';
import { faultsOfMeaning, faultsOfWhole } from './meaning.js';
import type { Settings } from './settings.js';
import { faultsOfStructure, type Fault } from './structure.js';

const MOST_TOLD = 50;

/** Settings of a config file's text, laid key by key over the default. Throws `config_invalid`. */
export function parseSettings(text: string, { file }: { file: string }): Settings {
  const { value, duplicates } = parseOrRefuse(text, file);
  const faults = [
    ...duplicates.map(({ path: at, line }) => ({ path: at, reason: `given twice (again in line ${String(line)})` })),
    ...faultsOfStructure(value),
    ...faultsOfMeaning(value),
  ];
  if (faults.length > 0) throw invalid(file, faults);
  const settings = overDefault(value as PartialSettings);
  const wholeFaults = faultsOfWhole(settings);
  if (wholeFaults.length > 0) throw invalid(file, wholeFaults);
  return settings;
}

function parseOrRefuse(text: string, file: string): ParsedJson {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw keyliftError('config_invalid', {
      message: `the config file ${file} is not JSON: ${error.message}`,
      facts: { line: error.line, column: error.column },
      hint: 'Correct the file at that line; nothing was changed.',
    });
  }
}

interface PartialSettings {
  legacy?: { [Section in keyof Settings['legacy']]?: Partial<Settings['legacy'][Section]> };
  target?: Partial<Settings['target']>;
}

function overDefault({ legacy = {}, target = {} }: PartialSettings): Settings {
  const { legacy: usual, target: usualTarget } = structuredClone(DEFAULT_SETTINGS);
  return {
    legacy: {
      keys: { ...usual.keys, ...legacy.keys },
      apis: { ...usual.apis, ...legacy.apis },
      accounts: { ...usual.accounts, ...legacy.accounts },
    },
    target: { ...usualTarget, ...target },
  };
}

function invalid(file: string, faults: readonly Fault[]): KeyliftError {
  const lines = faults.map(({ path: at, reason }) => `  ${keyPath(at)}: ${reason}`);
  const told =
    lines.length > MOST_TOLD ? [...lines.slice(0, MOST_TOLD), `  and ${String(lines.length - MOST_TOLD)} more`] : lines;
  const count = lines.length === 1 ? '1 fault' : `${String(lines.length)} faults`;
  return keyliftError('config_invalid', { message: `the config file ${file} has ${count}:\n${told.join('\n')}` });
}
