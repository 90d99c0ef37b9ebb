import { finalizeText } from '../console/result-text.js';
import { EXIT } from '../errors/exit-codes.js';
import { requireAllowed } from '../ledger/allowed.js';
import { finalize } from '../operations/finalize.js';
import { openMigration, placeOf, type OpenedMigration } from '../operations/opened.js';
import { checkForeignKeys } from '../stages/finalize/finalize.js';
import { requireDecision } from '../stages/platform-triggers.js';
import { confirm, type Question } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { finalizeCommand } from './definitions/migrate.js';
import { operating } from './operating.js';
import type { Arguments } from './read-arguments.js';

type FinalizeArguments = Arguments<typeof finalizeCommand>;

export const run: Run<typeof finalizeCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const report = await finalize(operating(context, args), opened, {
    purge: args.purge,
    triggers: args.triggers,
    ...(!args.yes && { beforeWrite: () => ask(context, opened, args) }),
  });
  if (context.json) context.printAnswer(report);
  else context.write(finalizeText(report));
  return EXIT.done;
};

/** Refuses what the command would refuse, before it asks. There is no question where it was completed before. */
async function ask(
  context: CommandContext,
  opened: OpenedMigration,
  { purge: purges, triggers }: FinalizeArguments,
): Promise<void> {
  const { state } = requireAllowed(purges ? 'finalize --purge' : 'finalize', opened.installed.state);
  if (state === 'purged' || (state === 'finalized' && !purges)) return;
  const place = placeOf(opened.database);
  if (purges) {
    await confirm(context, purgeQuestion(opened, place));
    return;
  }
  const { database, schema } = opened;
  await database.readOnly((s) => requireDecision(s, schema, { event: 'DELETE', decision: triggers }));
  await checkForeignKeys(database, schema);
  await confirm(context, {
    lines: ['From here on the database refuses a new per-API key for a store API. keylift rollback undoes this.'],
    question: `Archive the moved per-API rows of ${place}?`,
    yes: false,
  });
}

/** There is no way back, so a yes is too little. */
const purgeQuestion = ({ database }: OpenedMigration, place: string): Question => ({
  lines: [
    'THIS CANNOT BE UNDONE: after it, keylift rollback cannot restore the per-API keys.',
    `The archive of ${place} will be deleted.`,
  ],
  question: 'To confirm, type the name of the database:',
  answer: database.where.database,
  yes: false,
});
