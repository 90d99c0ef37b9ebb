import { EXIT } from '../errors/exit-codes.js';
import { requireBegun } from '../ledger/allowed.js';
import { finalizeText } from '../console/result-text.js';
import { finalize, purge } from '../stages/finalize/finalize.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { finalizeCommand } from './definitions/migrate.js';
import { openMigration, placeOf } from './opened.js';
import { startRun } from './start-run.js';

export const run: Run<typeof finalizeCommand> = async (context, args) => {
  const opened = await openMigration(context);
  requireBegun(args.purge ? 'finalize --purge' : 'finalize', opened.installed.state);
  const place = placeOf(opened.database);
  await confirm(context, {
    question: args.purge ? `Delete the archive of ${place}?` : `Archive the moved per-API rows of ${place}?`,
    lines: args.purge
      ? ['THIS CANNOT BE UNDONE: after it, keylift rollback cannot restore the per-API keys.']
      : ['From here on the database refuses a new per-API key for a store API. keylift rollback undoes this.'],
    yes: args.yes,
  });
  const report = await startRun(context, opened, {
    command: args.purge ? 'finalize --purge' : 'finalize',
    metricsFile: args.metricsFile,
    work: (stage) => (args.purge ? purge(stage) : finalize(stage, { triggers: args.triggers })),
  });
  if (context.json) context.printAnswer(report);
  else context.write(finalizeText(report));
  return EXIT.done;
};
