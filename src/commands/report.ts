import { version } from '../config/package-root.js';
import { EXIT } from '../errors/exit-codes.js';
import { checkOutput } from '../files/placement.js';
import { writeText } from '../files/write.js';
import { readReportFacts } from '../report/facts/read.js';
import { page } from '../report/page/page.js';
import { grouped } from '../format.js';
import type { Run } from './command.js';
import type { reportCommand } from './definitions/control.js';
import { openMigration } from '../operations/opened.js';

export const run: Run<typeof reportCommand> = async (context, { file }) => {
  const output = { file, what: 'the report file', code: 'report_unwritable' } as const;
  checkOutput(output);
  const { database, schema } = await openMigration(context);
  const facts = await readReportFacts(database, schema, version());
  const text = page(facts);
  await writeText(output, text);
  const bytes = Buffer.byteLength(text);
  if (context.json) context.printAnswer({ file, bytes, ...facts });
  else context.write(`wrote ${file} (${grouped(Math.ceil(bytes / 1000))} kB)\n`);
  return EXIT.done;
};
