import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { keyliftError } from '../errors/keylift-error.js';
import { exportCase, type Exported } from '../cases/export/export.js';
import { readPlannedOutcomes } from '../cases/export/outcomes.js';
import { exportText } from '../cases/export/text.js';
import type { CommandContext } from './context.js';
import type { snapshotCommand } from './definitions/tools.js';
import { openMapped } from '../operations/opened.js';
import type { Arguments } from './read-arguments.js';
import { runCases } from './snapshot-cases.js';

const ACCOUNTS = 20;

/**
 * `snapshot export`: reads the operator's database, writes the case, and runs it once in an embedded server for its
 * snapshots. It writes nothing to the operator's database and creates no scratch database there.
 */
export async function exportSample(
  context: CommandContext,
  { dir, accounts = ACCOUNTS }: Arguments<typeof snapshotCommand>,
): Promise<ExitCode> {
  const { database, schema } = await openMapped(context);
  const exported = await exportCase(database, schema, { directory: dir, accounts });
  context.logger.info(
    'step',
    `${String(exported.keys)} keys of ${String(exported.accounts)} accounts written to ${dir}; running them`,
  );
  const [result] = await runCases(context, { action: 'update', directory: dir, databaseUrl: undefined });
  if (result?.error !== undefined) throw result.error;
  await compareOutcomes(exported);
  if (context.json) context.printAnswer(exported);
  else context.write(exportText(exported));
  return EXIT.done;
}

/** @throws `export_differs` when a rule decides differently in the case than in its origin */
async function compareOutcomes({ directory, outcomes, exceptions_by_reason: reasons }: Exported): Promise<void> {
  const planned = await readPlannedOutcomes(directory);
  if (planned === null) throw new Error(`the case in ${directory} has no plan among its snapshots`);
  const asText = (value: Record<string, number>): string => JSON.stringify(Object.entries(value).sort());
  if (asText(planned.outcomes) === asText(outcomes) && asText(planned.exceptions_by_reason) === asText(reasons)) return;
  throw keyliftError('export_differs', {
    message: 'the outcomes of the exported case differ from those that the plan gives for the sample',
    facts: {
      sample: { ...outcomes, ...reasons },
      case: { ...planned.outcomes, ...planned.exceptions_by_reason },
      directory,
    },
  });
}
