import { checkSnapshots, updateSnapshots, type CaseResult } from '../cases/check.js';
import { withScratchDatabase } from '../cases/scratch.js';
import { withServer } from '../cases/server.js';
import { stepsOf } from '../cases/run.js';
import type { CommandContext } from './context.js';
import { openWith } from '../operations/opened.js';
import { whenStopped } from './signals.js';

export interface CasesOptions {
  action: 'check' | 'update';
  directory: string;
  /** The server for scratch databases; undefined for an embedded server. */
  databaseUrl: string | undefined;
}

/** Runs the cases of a folder, each in its own scratch database. @throws `interrupted` */
export async function runCases(
  context: CommandContext,
  { action, directory, databaseUrl }: CasesOptions,
): Promise<CaseResult[]> {
  const { stop } = context;
  const act = action === 'check' ? checkSnapshots : updateSnapshots;
  return whenStopped(stop, LEFT, async () => {
    const results = await withServer({ given: databaseUrl, stop }, (server) =>
      act({
        directory,
        stepsFor: (settings) => stepsOf({ open: openWith(context), settings, stop }),
        settings: context.settings,
        withScratchDatabase: async (use) => {
          stop.throwIfAborted();
          return withScratchDatabase(await server(), use);
        },
        onCase: (result) => {
          context.logger.debug('case', `case ${result.case}`, { case: result.case, ok: result.ok });
        },
      }),
    );
    // The second signal cancels statements, which is no result of a case.
    if (results.some(({ error }) => error !== undefined)) stop.throwIfAborted();
    return results;
  });
}

const LEFT = {
  message: 'the command was stopped on request; the scratch database was dropped',
  hint: 'Run the same command again: cases that ended before have their snapshots.',
};
