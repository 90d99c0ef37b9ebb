import { EXIT } from '../errors/exit-codes.js';
import { counted } from '../format.js';
import { everyStoreApi } from '../mapping/store.js';
import { switchText } from '../console/result-text.js';
import type { SwitchScope } from '../stages/switch/rule.js';
import { readAccounts } from '../operations/accounts.js';
import { openMigration, placeOf, type Opened } from '../operations/opened.js';
import { switchAccounts } from '../operations/switch-accounts.js';
import { confirm, type Question } from './confirm.js';
import type { Run } from './command.js';
import type { switchCommand } from './definitions/migrate.js';
import { operating } from './operating.js';
import type { Arguments } from './read-arguments.js';

export const run: Run<typeof switchCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const scope = await scopeOf(opened, args);
  const report = await switchAccounts(operating(context, args), opened, {
    scope,
    back: args.back,
    beforeWrite: () => confirm(context, questionOf(opened, { args, scope })),
  });
  if (context.json) context.printAnswer(report);
  else context.write(switchText(report));
  return EXIT.done;
};

function questionOf(
  { database, schema }: Opened,
  { args, scope }: { args: Arguments<typeof switchCommand>; scope: SwitchScope },
): Question {
  const place = placeOf(database);
  const who = args.cohort?.text ?? (scope.kind === 'accounts' ? counted(scope.ids.length, 'account') : 'every account');
  return {
    question: args.back
      ? `Answer ${who} of ${place} by per-API keys again?`
      : `Answer ${who} of ${place} from Settings?`,
    lines: args.back
      ? []
      : [`From this moment on their keys open ${everyStoreApi(schema.legacy)}. keylift switch --back undoes this.`],
    yes: args.yes,
  };
}

async function scopeOf({ database, schema }: Opened, args: Arguments<typeof switchCommand>): Promise<SwitchScope> {
  if (args.cohort !== undefined) return { kind: 'cohort', perMillion: args.cohort.perMillion };
  if (args.accounts === undefined) return { kind: 'all' };
  return { kind: 'accounts', ids: await readAccounts({ database, schema }, args.accounts) };
}
