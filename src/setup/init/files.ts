import { access, chmod, writeFile } from 'node:fs/promises';
import type { Settings } from '../../config/settings.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';

/** The file of the configuration, and the file of its notes. */
export interface Files {
  config: string;
  notes: string;
}

/** The notes on `keylift.config.json` are in `keylift.config.notes.md`. */
export const notesBeside = (config: string): string => `${config.replace(/\.json$/i, '')}.notes.md`;

/** The text of a configuration file. */
export const fileText = (settings: Settings): string => `${JSON.stringify(settings, null, 2)}\n`;

/** Refuses to overwrite files without --force. @throws `config_exists` */
export async function refuseExisting({ config, notes }: Files): Promise<void> {
  for (const file of [config, notes])
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      throw exists(file);
}

/** Writes both files. @throws `config_exists`; `config_unwritable` */
export async function writeFiles(files: Files, texts: Files, { force }: { force: boolean }): Promise<void> {
  for (const which of ['config', 'notes'] as const) {
    await write(files[which], { text: texts[which], mode: MODES[which], force }).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw exists(files[which]);
      throw keyliftError('config_unwritable', {
        message: `${files[which]} cannot be written: ${code ?? String(error)}`,
        facts: { file: files[which] },
        cause: error,
      });
    });
  }
}

/**
 * The configuration belongs in a repository. Its notes quote values of the database, so only their owner may read them.
 */
const MODES = { config: 0o666, notes: 0o600 };

/** An existing file keeps its mode, unless others may read it and should not. */
async function write(
  file: string,
  { text, mode, force }: { text: string; mode: number; force: boolean },
): Promise<void> {
  await writeFile(file, text, { flag: force ? 'w' : 'wx', mode });
  if (mode === 0o600) await chmod(file, mode);
}

const exists = (file: string): KeyliftError =>
  keyliftError('config_exists', { message: `${file} exists already; nothing was changed`, facts: { file } });
