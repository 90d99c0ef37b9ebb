import { EXIT } from '../errors/exit-codes.js';
import { requireBegun } from '../ledger/allowed.js';
import { counted } from '../format.js';
import { switchText } from '../console/result-text.js';
import type { SwitchScope } from '../stages/switch/rule.js';
import { switchAccounts } from '../stages/switch/switch.js';
import { readAccounts } from './accounts.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { switchCommand } from './definitions/migrate.js';
import type { Arguments } from './read-arguments.js';
import { openMigration, placeOf, type Opened } from './opened.js';
import { startRun } from './start-run.js';

export const run: Run<typeof switchCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const scope = await scopeOf(opened, args);
  requireBegun(args.back ? 'switch --back' : 'switch', opened.installed.state);
  const place = placeOf(opened.database);
  const who = args.cohort?.text ?? (scope.kind === 'accounts' ? counted(scope.ids.length, 'account') : 'every account');
  await confirm(context, {
    question: args.back
      ? `Answer ${who} of ${place} by per-API keys again?`
      : `Answer ${who} of ${place} from Settings?`,
    lines: args.back ? [] : ['From this moment on their keys open every store API. keylift switch --back undoes this.'],
    yes: args.yes,
  });
  const report = await startRun(context, opened, {
    command: 'switch',
    metricsFile: args.metricsFile,
    work: ({ database, schema, run }) => switchAccounts({ database, schema, run, order: { scope, back: args.back } }),
  });
  if (context.json) context.printAnswer(report);
  else context.write(switchText(report));
  return EXIT.done;
};

async function scopeOf({ database, schema }: Opened, args: Arguments<typeof switchCommand>): Promise<SwitchScope> {
  if (args.cohort !== undefined) return { kind: 'cohort', perMillion: args.cohort.perMillion };
  if (args.accounts === undefined) return { kind: 'all' };
  return { kind: 'accounts', ids: await readAccounts({ database, schema }, args.accounts) };
}
