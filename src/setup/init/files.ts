import type { Settings } from '../../config/settings.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { lookAt, type Output } from '../../files/placement.js';
import { writeText } from '../../files/write.js';

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
export function refuseExisting({ config, notes }: Files): void {
  for (const file of [config, notes]) if (lookAt(outputOf(file)) !== undefined) throw exists(file);
}

/** Writes both files. @throws `config_exists`; `config_unwritable` */
export async function writeFiles(files: Files, texts: Files, { force }: { force: boolean }): Promise<void> {
  for (const which of ['config', 'notes'] as const) {
    await writeText(outputOf(files[which]), texts[which], { readers: READERS[which], exclusive: !force });
  }
}

const outputOf = (file: string): Output => ({ file, what: 'the file', code: 'config_unwritable' });

/**
 * The configuration belongs in a repository. Its notes quote values of the database, so only their owner may read them.
 */
const READERS = { config: 'repository', notes: 'owner' } as const;

const exists = (file: string): KeyliftError =>
  keyliftError('config_exists', { message: `${file} exists already; nothing was changed`, facts: { file } });
