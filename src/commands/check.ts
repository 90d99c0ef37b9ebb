import { EXIT } from '../errors.js';
import { checkText } from '../console/check-text.js';
import { checkConfiguration } from '../setup/check.js';
import type { Run } from './context.js';
import type { CheckArguments } from './definitions/setup.js';

export const run: Run<CheckArguments> = async (context) => {
  const report = await checkConfiguration(await context.openDatabase(), context);
  if (context.json) context.printAnswer(report);
  else context.write(checkText(report));
  return report.ok ? EXIT.done : EXIT.usage;
};
