import { stat } from 'node:fs/promises';
import { version } from '../config/package-root.js';
import { EXIT } from '../errors/exit-codes.js';
import { replaceFile } from '../files/replace-file.js';
import { readReportFacts } from '../report/facts/read.js';
import { page } from '../report/page/page.js';
import { grouped } from '../format.js';
import type { Run } from './command.js';
import type { reportCommand } from './definitions/control.js';
import { openMigration } from './opened.js';

export const run: Run<typeof reportCommand> = async (context, { file }) => {
  const { database, schema } = await openMigration(context);
  const facts = await replaceFile({ file, kind: 'report' }, async (append) => {
    const read = await readReportFacts(database, schema, version());
    await append(page(read));
    return read;
  });
  const { size: bytes } = await stat(file);
  if (context.json) context.printAnswer({ file, bytes, ...facts });
  else context.write(`wrote ${file} (${grouped(Math.ceil(bytes / 1000))} kB)\n`);
  return EXIT.done;
};
