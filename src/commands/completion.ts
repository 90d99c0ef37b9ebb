import path from 'node:path';
import { EXIT } from '../errors/exit-codes.js';
import { completionScript, SHELLS, type Shell } from './completion-script.js';
import type { Run } from './command.js';
import { COMMANDS } from './definitions/all.js';
import type { completionCommand } from './definitions/tools.js';

export const run: Run<typeof completionCommand> = (context, { shell = shellOf(context.io.env.SHELL) }) => {
  const script = completionScript(shell, COMMANDS);
  if (context.json) context.printAnswer({ shell, script });
  else context.write(script, { verbatim: true });
  return Promise.resolve(EXIT.done);
};

/** The user's login shell; bash if that is another one. */
function shellOf(program: string | undefined): Shell {
  return SHELLS.find((name) => name === path.basename(program ?? '')) ?? 'bash';
}
