import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { readText } from '../files/read.js';
import { DEFAULT_SETTINGS } from './defaults.js';
import type { Settings } from './settings.js';

export interface ConfigurationSources {
  flags: { config?: string | undefined; databaseUrl?: string | undefined };
  env: Record<string, string | undefined>;
  cwd: string;
}

export interface Configuration {
  settings: Settings;
  databaseUrl: string | undefined;
  /** Absolute path of the file of the settings; undefined for the default. */
  configFile: string | undefined;
}

export const CONFIG_FILE = 'keylift.config.json';

/**
 * Loads the configuration. A flag comes before the environment (DATABASE_URL, KEYLIFT_CONFIG), then the file, then the
 * default.
 *
 * @throws `config_unreadable`; `config_invalid` with every fault of the file
 */
export async function loadConfiguration({ flags, env, cwd }: ConfigurationSources): Promise<Configuration> {
  const databaseUrl = flags.databaseUrl ?? nonEmpty(env.DATABASE_URL);
  const source = await findFile({ flags, env, cwd });
  if (source === undefined) return { settings: structuredClone(DEFAULT_SETTINGS), databaseUrl, configFile: undefined };
  // Imported only where there is a file to check, so that other commands start faster.
  const [text, { parseSettings }] = await Promise.all([readSource(source), import('./parse.js')]);
  return { settings: parseSettings(text, { file: source.file }), databaseUrl, configFile: source.file };
}

/**
 * For a command that writes the configuration: the path of its file, which need not exist, and the default settings.
 */
export function unreadConfiguration({ flags, env, cwd }: ConfigurationSources): Configuration {
  const named = flags.config ?? nonEmpty(env.KEYLIFT_CONFIG) ?? CONFIG_FILE;
  return {
    settings: structuredClone(DEFAULT_SETTINGS),
    databaseUrl: flags.databaseUrl ?? nonEmpty(env.DATABASE_URL),
    configFile: path.resolve(cwd, named),
  };
}

const readSource = ({ file, givenBy }: Source): Promise<string> =>
  readText({ file, what: 'the config file', code: 'config_unreadable', facts: { given_by: givenBy }, maxMiB: 1 });

interface Source {
  file: string;
  givenBy: string;
}

async function findFile({ flags, env, cwd }: ConfigurationSources): Promise<Source | undefined> {
  if (flags.config !== undefined) return { file: path.resolve(cwd, flags.config), givenBy: '--config' };
  const fromEnvironment = nonEmpty(env.KEYLIFT_CONFIG);
  if (fromEnvironment !== undefined) return { file: path.resolve(cwd, fromEnvironment), givenBy: 'KEYLIFT_CONFIG' };
  const file = path.join(cwd, CONFIG_FILE);
  // lstat, because a broken symbolic link is a fault and not a missing file
  const exists = await lstat(file).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT',
  );
  return exists ? { file, givenBy: 'the working folder' } : undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
