import { EXIT } from '../errors/exit-codes.js';
import { checkText } from '../console/setup-text.js';
import { checkConfiguration } from '../setup/check/check.js';
import type { Run } from './command.js';
import type { checkCommand } from './definitions/prepare.js';

export const run: Run<typeof checkCommand> = async (context) => {
  const report = await checkConfiguration(await context.openDatabase(), context);
  if (context.json) context.printAnswer(report);
  else context.write(checkText(report));
  return report.ok ? EXIT.done : EXIT.usage;
};
