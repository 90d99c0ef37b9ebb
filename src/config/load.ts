import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { DEFAULT_SETTINGS } from './defaults.js';
import { readConfigFile } from './read-file.js';
import type { Settings } from './settings.js';

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

/**
 * Flag before environment (DATABASE_URL, KEYLIFT_CONFIG) before file before default.
 * Throws `config_unreadable`, or `config_invalid` with all faults of the file at once, each by its key.
 */
export async function loadConfiguration({ flags, env, cwd }: ConfigurationSources): Promise<Configuration> {
  const databaseUrl = flags.databaseUrl ?? nonEmpty(env.DATABASE_URL);
  const source = await findFile({ flags, env, cwd });
  if (source === undefined) return { settings: structuredClone(DEFAULT_SETTINGS), databaseUrl, configFile: undefined };
  // What checks a file is loaded for a file: the default needs no check, and most commands start that much sooner.
  const [text, { parseSettings }] = await Promise.all([readConfigFile(source.file, source), import('./parse.js')]);
  return { settings: parseSettings(text, { file: source.file }), databaseUrl, configFile: source.file };
}

/** Where the configuration is to stand, whether it does or not: for the command that writes it. The settings are the default. */
export function unreadConfiguration({ flags, env, cwd }: ConfigurationSources): Configuration {
  const named = flags.config ?? nonEmpty(env.KEYLIFT_CONFIG) ?? CONFIG_FILE;
  return {
    settings: structuredClone(DEFAULT_SETTINGS),
    databaseUrl: flags.databaseUrl ?? nonEmpty(env.DATABASE_URL),
    configFile: path.resolve(cwd, named),
  };
}

async function findFile({
  flags,
  env,
  cwd,
}: ConfigurationSources): Promise<{ file: string; givenBy: string } | undefined> {
  if (flags.config !== undefined) return { file: path.resolve(cwd, flags.config), givenBy: '--config' };
  const fromEnvironment = nonEmpty(env.KEYLIFT_CONFIG);
  if (fromEnvironment !== undefined) return { file: path.resolve(cwd, fromEnvironment), givenBy: 'KEYLIFT_CONFIG' };
  const usual = path.join(cwd, CONFIG_FILE);
  // lstat: a link that leads nowhere is a fault to tell, not a missing file to pass over
  const isThere = await lstat(usual).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT',
  );
  return isThere ? { file: usual, givenBy: 'the working folder' } : undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
