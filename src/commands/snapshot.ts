import { secretsIn } from '../config/redact.js';
import { EXIT, InterruptedError, type ExitCode } from '../errors.js';
import { checkSnapshots, updateSnapshots, type CaseResult, type SnapshotOptions } from '../snapshot/check.js';
import { caseText, summaryText } from '../snapshot/result-text.js';
import { withScratchDatabase } from '../snapshot/scratch.js';
import { withServer } from '../snapshot/server.js';
import { realSteps } from '../snapshot/steps.js';
import type { CommandContext, Run } from './context.js';
import type { SnapshotArguments } from './definitions/looking.js';
import { version } from './migration.js';
import { describeError, type ErrorText } from './print-error.js';

export const run: Run<SnapshotArguments> = async (context, { action, dir }) => {
  const results = await runCases(context, { action, dir });
  const failures = new Map<CaseResult, ErrorText>();
  for (const result of results) if (result.error !== undefined) failures.set(result, await told(context, result.error));
  if (context.json) context.printAnswer(documentOf(results, failures));
  else {
    for (const result of results) context.write(caseText(result, { action, failure: failures.get(result)?.text }));
    context.write(summaryText(results, action));
  }
  const [failure] = failures.values();
  return failure?.exitCode ?? exitOf(results, action);
};

async function runCases(context: CommandContext, { action, dir }: SnapshotArguments): Promise<CaseResult[]> {
  const { stop, databaseUrl } = context;
  const act = action === 'check' ? checkSnapshots : updateSnapshots;
  try {
    return await withServer(databaseUrl, async (server) => {
      const options: SnapshotOptions = {
        directory: dir,
        steps: realSteps({ version: version(), stop }),
        withScratchDatabase: async (use) => {
          stop.throwIfAborted();
          return withScratchDatabase(await server(), use);
        },
        onCase: (result) => { context.logger.debug(`case ${result.case}`, { case: result.case, ok: result.ok }); },
      };
      return act(options);
    });
  } catch (error) {
    if (!stop.aborted) throw error;
    throw new InterruptedError('stopped on request; the scratch database is gone', {
      hint: 'Run the same command again: cases that ended before have their snapshots.',
      cause: error,
    });
  }
}

const told = (context: CommandContext, error: unknown): Promise<ErrorText> =>
  describeError(error, { debug: false, secrets: secretsIn([context.databaseUrl ?? '']) });

/** schemas/snapshot-check.schema.json. `ok` is about what was found, for an update about what it replaced. */
function documentOf(results: readonly CaseResult[], failures: ReadonlyMap<CaseResult, ErrorText>): unknown {
  return {
    ok: results.every(({ ok }) => ok),
    cases: results.map((result) => {
      const error = failures.get(result)?.text.trimEnd();
      return { case: result.case, ok: result.ok, differences: result.differences, ...(error === undefined ? {} : { error }) };
    }),
  };
}

/** An update is done when it has written; a check only when there was nothing to write. */
function exitOf(results: readonly CaseResult[], action: SnapshotArguments['action']): ExitCode {
  return action === 'update' || results.every(({ ok }) => ok) ? EXIT.done : EXIT.differences;
}
