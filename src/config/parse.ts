import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { DEFAULT_SETTINGS } from './defaults.js';
import { JsonFault, parseJson, type ParsedJson } from './json.js';
import { keyPath } from './key-path.js';
import { faultsOfMeaning, faultsOfWhole } from './meaning.js';
import type { Settings, SettingsInput } from './settings.js';
import { faultsOfStructure, type Fault } from './structure.js';

const MOST_SHOWN = 50;

/** Parses a config file. Keys that it does not have keep their default. @throws `config_invalid` */
export function parseSettings(text: string, { file }: { file: string }): Settings {
  const { value, duplicates } = parseOrRefuse(text, file);
  const faults = duplicates.map(({ path: at, line }) => ({
    path: at,
    reason: `given twice (again in line ${String(line)})`,
  }));
  return checkSettings(value, { name: `the config file ${file}`, faults });
}

/**
 * Checks a parsed configuration. Keys that it does not have keep their default.
 *
 * @param name what it is, for messages
 * @param faults what was found before
 * @throws `config_invalid` with all faults
 */
export function checkSettings(
  value: unknown,
  { name, faults: before = [] }: { name: string; faults?: readonly Fault[] },
): Settings {
  const faults = [...before, ...faultsOfStructure(value), ...faultsOfMeaning(value)];
  if (faults.length > 0) throw invalid(name, faults);
  const settings = overDefault(value as SettingsInput);
  const wholeFaults = faultsOfWhole(settings);
  if (wholeFaults.length > 0) throw invalid(name, wholeFaults);
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

function overDefault({ legacy = {}, target = {} }: SettingsInput): Settings {
  const { legacy: defaults, target: defaultTarget } = structuredClone(DEFAULT_SETTINGS);
  return {
    legacy: {
      keys: { ...defaults.keys, ...legacy.keys },
      apis: { ...defaults.apis, ...legacy.apis },
      accounts: { ...defaults.accounts, ...legacy.accounts },
    },
    target: { ...defaultTarget, ...target },
  };
}

function invalid(name: string, faults: readonly Fault[]): KeyliftError {
  const lines = faults.map(({ path: at, reason }) => `  ${keyPath(at)}: ${reason}`);
  const shown =
    lines.length > MOST_SHOWN
      ? [...lines.slice(0, MOST_SHOWN), `  and ${String(lines.length - MOST_SHOWN)} more`]
      : lines;
  const count = lines.length === 1 ? '1 fault' : `${String(lines.length)} faults`;
  return keyliftError('config_invalid', { message: `${name} has ${count}:\n${shown.join('\n')}` });
}
