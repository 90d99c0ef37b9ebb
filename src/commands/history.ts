import { historyText } from '../console/history-text.js';
import { EXIT } from '../errors/exit-codes.js';
import { readHistory } from '../history/history.js';
import type { Run } from './command.js';
import type { historyCommand } from './definitions/control.js';

export const run: Run<typeof historyCommand> = async (context) => {
  const history = await readHistory(await context.openDatabase());
  if (context.json) context.printAnswer(history);
  else context.write(historyText(history));
  return EXIT.done;
};
