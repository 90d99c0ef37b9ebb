import { secretsIn } from '../config/redact.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { keyliftError } from '../errors/keylift-error.js';
import { checkOutput, type Output } from '../files/placement.js';
import { writeText } from '../files/write.js';
import type { CaseResult } from '../cases/check.js';
import { junitXml } from '../cases/junit.js';
import { caseText, summaryText } from '../cases/result-text.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { snapshotCommand } from './definitions/tools.js';
import type { Arguments } from './read-arguments.js';
import { describeError, type ErrorText } from './print-error.js';
import { runCases, type CasesOptions } from './snapshot-cases.js';
import { exportSample } from './snapshot-export.js';

export const run: Run<typeof snapshotCommand> = async (context, args) => {
  const { action, dir, junit } = args;
  refuseUnusedFlags(args);
  if (action === 'export') return exportSample(context, args);
  if (junit !== undefined) checkOutput(junitOutput(junit));
  const results = await runCases(context, { action, directory: dir, databaseUrl: context.databaseUrl });
  const failures = new Map<CaseResult, ErrorText>();
  for (const result of results)
    if (result.error !== undefined) failures.set(result, await failureText(context, result.error));
  if (junit !== undefined) await writeText(junitOutput(junit), junitXml(results, { failures: texts(failures) }));
  if (context.json) context.printAnswer(documentOf(results, failures));
  else {
    for (const result of results) context.write(caseText(result, { action, failure: failures.get(result)?.text }));
    context.write(summaryText(results, action));
  }
  const [failure] = failures.values();
  return failure?.exitCode ?? exitOf(results, action);
};

/** Refuses a flag that the action does not use. */
function refuseUnusedFlags({ action, junit, accounts }: Arguments<typeof snapshotCommand>): void {
  const stray = [
    ...(junit !== undefined && action !== 'check' ? ['--junit belongs to snapshot check'] : []),
    ...(accounts !== undefined && action !== 'export' ? ['--accounts belongs to snapshot export'] : []),
  ];
  if (stray.length > 0)
    throw keyliftError('usage', { message: stray.join('\n'), hint: 'See keylift snapshot --help.' });
}

const junitOutput = (file: string): Output => ({ file, what: 'the JUnit file', code: 'junit_unwritable' });

async function failureText(context: CommandContext, error: unknown): Promise<ErrorText> {
  const text = await describeError(error, { debug: false, secrets: secretsIn([context.databaseUrl ?? '']) });
  context.fileLogger.error('failed', text.error.message, text.logged);
  return text;
}

const texts = (failures: ReadonlyMap<CaseResult, ErrorText>): Map<CaseResult, string> =>
  new Map([...failures].map(([result, { text }]) => [result, text.trimEnd()]));

/** schemas/snapshot-check.schema.json. For an update, `ok` compares with the replaced snapshots. */
function documentOf(results: readonly CaseResult[], failures: ReadonlyMap<CaseResult, ErrorText>): unknown {
  return {
    ok: results.every(({ ok }) => ok),
    cases: results.map((result) => {
      const error = failures.get(result)?.text.trimEnd();
      return {
        case: result.case,
        ok: result.ok,
        differences: result.differences,
        ...(error === undefined ? {} : { error }),
      };
    }),
  };
}

/** An update is done when it has written. A check is done when nothing differs. */
function exitOf(results: readonly CaseResult[], action: CasesOptions['action']): ExitCode {
  return action === 'update' || results.every(({ ok }) => ok) ? EXIT.done : EXIT.differences;
}
