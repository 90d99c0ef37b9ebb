import { access, chmod, writeFile } from 'node:fs/promises';
import type { Settings } from '../config/settings.js';
import { RefusedError, UsageError } from '../errors.js';

/** Where the configuration and its notes stand. */
export interface Files {
  config: string;
  notes: string;
}

/** `keylift.config.json` has its notes in `keylift.config.notes.md`. */
export const notesBeside = (config: string): string => `${config.replace(/\.json$/i, '')}.notes.md`;

/** The configuration as a file has it. */
export const fileText = (settings: Settings): string => `${JSON.stringify(settings, null, 2)}\n`;

/** @throws RefusedError `config_exists`: what somebody wrote is not overwritten unasked */
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

/** @throws RefusedError `config_exists`; UsageError `config_unwritable` */
export async function writeFiles(files: Files, texts: Files, { force }: { force: boolean }): Promise<void> {
  for (const which of ['config', 'notes'] as const) {
    await write(files[which], { text: texts[which], mode: MODES[which], force }).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw exists(files[which]);
      throw new UsageError('config_unwritable', `${files[which]} cannot be written: ${code ?? String(error)}`, {
        facts: { file: files[which] },
        cause: error,
        hint: 'Name a file in a folder that exists and that you may write, with --config.',
        anchor: 'mapping',
      });
    });
  }
}

/** The configuration belongs in a repository; its notes tell what somebody saw in a database. */
const MODES = { config: 0o666, notes: 0o600 };

/** A file that is there already keeps its mode unless that is wider than it should be. */
async function write(
  file: string,
  { text, mode, force }: { text: string; mode: number; force: boolean },
): Promise<void> {
  await writeFile(file, text, { flag: force ? 'w' : 'wx', mode });
  if (mode === 0o600) await chmod(file, mode);
}

const exists = (file: string): RefusedError =>
  new RefusedError('config_exists', `${file} is there already; nothing was changed`, {
    facts: { file },
    hint: 'Pass --force to overwrite it, --config to name another file, or --dry-run to see what would be written.',
    anchor: 'mapping',
  });
