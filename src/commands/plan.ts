import { EXCEPTIONS_SHOWN, planText } from '../console/plan-text.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { openMapped, type Opened } from '../operations/opened.js';
import { checkPlanFiles, plan, type PlanOptions } from '../operations/plan.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { planCommand } from './definitions/prepare.js';
import { paceOf } from './pace.js';

export const run: Run<typeof planCommand> = async (context, args) => {
  checkPlanFiles(args);
  return showPlan(context, await openMapped(context), { ...args, ...paceOf(args) });
};

/** Makes a plan, writes the files that the flags name, and prints it. */
export async function showPlan(context: CommandContext, opened: Opened, options: PlanOptions): Promise<ExitCode> {
  const { json, printAnswer } = context;
  const document = await plan(context, opened, { ...options, ...(!json && { listed: EXCEPTIONS_SHOWN }) });
  if (json) printAnswer(document);
  else await writePlan(context, opened, { document, options });
  return document.outcomes.exception > 0 ? EXIT.exceptions : EXIT.done;
}

async function writePlan(
  { write }: CommandContext,
  { schema }: Opened,
  { document, options }: { document: Awaited<ReturnType<typeof plan>>; options: PlanOptions },
): Promise<void> {
  const { concurrency, showSql } = options;
  write(planText(document, { ...document, ...(concurrency !== undefined && { atOnce: concurrency }) }));
  if (showSql !== true) return;
  const { shownSql } = await import('../stages/show-sql.js');
  write(`\n${shownSql(schema)}`, { verbatim: true });
}
