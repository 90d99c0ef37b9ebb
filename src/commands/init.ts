import { EXIT } from '../errors/exit-codes.js';
import { draftText, notesText } from '../console/setup-text.js';
import { fileText, notesBeside, refuseExisting, writeFiles } from '../setup/init/files.js';
import { draftConfiguration } from '../setup/init/init.js';
import type { Run } from './command.js';
import type { initCommand } from './definitions/prepare.js';

export const run: Run<typeof initCommand> = async (context, { dryRun, force }) => {
  const files = { config: context.configFile!, notes: notesBeside(context.configFile!) };
  if (!dryRun && !force) refuseExisting(files);
  const draft = await draftConfiguration(await context.openDatabase());
  if (!dryRun) await writeFiles(files, { config: fileText(draft.settings), notes: notesText(draft, files) }, { force });
  if (context.json) {
    context.printAnswer({ config: draft.settings, notes: draft.notes, files: dryRun ? null : files });
  } else {
    context.write(draftText(draft, { files: dryRun ? null : files, text: fileText(draft.settings) }), {
      verbatim: dryRun,
    });
  }
  return EXIT.done;
};
