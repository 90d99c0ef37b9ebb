import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../errors.js';
import { DEFAULT_SETTINGS } from './defaults.js';
import { JsonFault, parseJson, type ParsedJson } from './json.js';
import { faultsOfMeaning, faultsOfWhole } from './meaning.js';
import { readConfigFile } from './read-file.js';
import type { Settings } from './settings.js';
import { faultsOfStructure, type Fault } from './structure.js';

export interface ConfigurationSources {
  flags: { config?: string | undefined; databaseUrl?: string | undefined };
  env: Record<string, string | undefined>;
  cwd: string;
}

export interface Configuration {
  settings: Settings;
  databaseUrl: string | undefined;
  /** The file the settings came from, absolute; undefined when the default holds. */
  configFile: string | undefined;
}

export const CONFIG_FILE = 'keylift.config.json';
const MOST_TOLD = 50;

/**
 * Flag before environment (DATABASE_URL, KEYLIFT_CONFIG) before file before default.
 * Throws UsageError `config_unreadable`, or `config_invalid` with all faults of the file at once, each by its key.
 */
export async function loadConfiguration({ flags, env, cwd }: ConfigurationSources): Promise<Configuration> {
  const databaseUrl = flags.databaseUrl ?? nonEmpty(env.DATABASE_URL);
  const source = await findFile({ flags, env, cwd });
  if (source === undefined) return { settings: structuredClone(DEFAULT_SETTINGS), databaseUrl, configFile: undefined };
  const text = await readConfigFile(source.file, source);
  return { settings: parseSettings(text, { file: source.file }), databaseUrl, configFile: source.file };
}

/** Where the configuration is to stand, whether it does or not: for the command that writes it. The settings are the default. */
export function unreadConfiguration({ flags, env, cwd }: ConfigurationSources): Configuration {
  const named = flags.config ?? nonEmpty(env.KEYLIFT_CONFIG) ?? CONFIG_FILE;
  return { settings: structuredClone(DEFAULT_SETTINGS), databaseUrl: flags.databaseUrl ?? nonEmpty(env.DATABASE_URL), configFile: path.resolve(cwd, named) };
}

/** Settings of a config file's text, laid key by key over the default. Throws UsageError `config_invalid`. */
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

async function findFile({ flags, env, cwd }: ConfigurationSources): Promise<{ file: string; givenBy: string } | undefined> {
  if (flags.config !== undefined) return { file: path.resolve(cwd, flags.config), givenBy: '--config' };
  const fromEnvironment = nonEmpty(env.KEYLIFT_CONFIG);
  if (fromEnvironment !== undefined) return { file: path.resolve(cwd, fromEnvironment), givenBy: 'KEYLIFT_CONFIG' };
  const usual = path.join(cwd, CONFIG_FILE);
  // lstat: a link that leads nowhere is a fault to tell, not a missing file to pass over
  const isThere = await lstat(usual).then(() => true, (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT');
  return isThere ? { file: usual, givenBy: 'the working folder' } : undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function parseOrRefuse(text: string, file: string): ParsedJson {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new UsageError('config_invalid', `the config file ${file} is not JSON: ${error.message}`, {
      facts: { line: error.line, column: error.column }, hint: 'Mend that place; nothing was changed.', anchor: 'command-line-and-configuration',
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

function invalid(file: string, faults: readonly Fault[]): UsageError {
  const lines = faults.map(({ path: at, reason }) => `  ${keyPath(at)}: ${reason}`);
  const told = lines.length > MOST_TOLD ? [...lines.slice(0, MOST_TOLD), `  and ${String(lines.length - MOST_TOLD)} more`] : lines;
  const count = lines.length === 1 ? '1 fault' : `${String(lines.length)} faults`;
  return new UsageError('config_invalid', `the config file ${file} has ${count}:\n${told.join('\n')}`, {
    hint: 'Mend them; schemas/config.schema.json describes the file. Nothing was changed.', anchor: 'command-line-and-configuration',
  });
}

/** `legacy.keys.table`, `requests[2].path`. */
export function keyPath(path_: readonly (string | number)[]): string {
  if (path_.length === 0) return '(the whole file)';
  return path_
    .map((step) => {
      if (typeof step === 'number') return `[${String(step)}]`;
      return /^[\w$-]{1,80}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 80))}]`;
    })
    .join('')
    .replace(/^\./, '');
}
