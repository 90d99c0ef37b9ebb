import { EXIT } from '../errors/exit-codes.js';
import { explainKeys } from '../explain/explain.js';
import { explanationText } from '../console/explain-text.js';
import type { Run } from './command.js';
import type { explainCommand } from './definitions/prepare.js';
import { openMapped } from '../operations/opened.js';

export const run: Run<typeof explainCommand> = async (context, args) => {
  const { database, schema } = await openMapped(context);
  const explanation = await explainKeys(database, schema, args.key);
  if (context.json) context.printAnswer(explanation);
  else context.write(explanationText(explanation));
  return EXIT.done;
};
