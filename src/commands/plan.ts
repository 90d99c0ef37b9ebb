import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { keyliftError } from '../errors/keylift-error.js';
import { EXCEPTIONS_SHOWN, planText } from '../console/plan-text.js';
import type { Holds } from '../ledger/holds.js';
import type { Lists } from '../plan/lists/write.js';
import { checkOutputs, type PlanFiles } from '../plan/outputs.js';
import type { Plan } from '../plan/plan.js';
import type { Rehearsal } from '../stages/rehearse.js';
import { concerns } from '../surroundings/findings.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { planCommand } from './definitions/prepare.js';
import { openMapped, type Opened } from './opened.js';
import { paceOf, withPlan, type Planned } from './planned.js';
import type { Arguments } from './read-arguments.js';

type PlanArguments = Arguments<typeof planCommand>;

/** The files that the command wrote. */
interface Written {
  lists: Lists;
  saved?: { file: string };
}

export const run: Run<typeof planCommand> = async (context, args) => {
  requireDistinctFiles(args);
  checkOutputs(args);
  return showPlan(context, await openMapped(context), args);
};

/** Makes a plan, writes the files that the flags name, and prints it. */
export async function showPlan(context: CommandContext, opened: Opened, args: PlanArguments): Promise<ExitCode> {
  const request = { holds: args.holds, pace: paceOf(args), ...(!context.json && { listed: EXCEPTIONS_SHOWN }) };
  const { plan, holds, surroundings, written } = await withPlan(opened, request, async (planned) => ({
    plan: planned.plan,
    holds: planned.holds,
    surroundings: await concerns(planned.session, opened.schema),
    written: await writeFiles(context, opened, { args, planned }),
  }));
  const rehearsal = args.rehearse ? await rehearsed(context, opened, { args, holds, plan }) : undefined;
  const measured = rehearsal === undefined ? plan : { ...plan, seconds_expected: rehearsal.seconds_expected };
  const shown = args.showSql ? await import('../stages/show-sql.js') : undefined;
  const further = {
    surroundings,
    ...(rehearsal && { rehearsal: rehearsal.rehearsal }),
    ...written.lists,
    ...(written.saved && { saved: written.saved }),
  };
  if (context.json)
    context.printAnswer({ ...measured, ...further, ...(shown && { sql: shown.shownStatements(opened.schema) }) });
  else {
    context.write(
      planText(measured, { ...further, ...(args.concurrency !== undefined && { atOnce: args.concurrency }) }),
    );
    if (shown !== undefined) context.write(`\n${shown.shownSql(opened.schema)}`, { verbatim: true });
  }
  return plan.outcomes.exception > 0 ? EXIT.exceptions : EXIT.done;
}

async function writeFiles(
  { stop }: CommandContext,
  { schema }: Opened,
  { args, planned: { session, plan, holds, installed } }: { args: PlanArguments; planned: Planned },
): Promise<Written> {
  const { notice, keys, dormant, out } = args;
  const files = { notice, keys, dormant };
  const lists = Object.values(files).some((file) => file !== undefined)
    ? await (await import('../plan/lists/write.js')).writeLists(session, schema, { files, holds, installed, stop })
    : {};
  if (out === undefined) return { lists };
  const { savedPlanOf, writeSavedPlan } = await import('../plan/saved/document.js');
  await writeSavedPlan(out, await savedPlanOf(session, schema, { plan, holds }));
  return { lists, saved: { file: out } };
}

/** A rehearsal, and its pace with as many batches at once as `--concurrency` says. */
async function rehearsed(
  { stop }: CommandContext,
  { database, schema }: Opened,
  { args: { concurrency = 1 }, holds, plan: { total } }: { args: PlanArguments; holds: Holds; plan: Plan },
): Promise<{ rehearsal: Rehearsal; seconds_expected: number }> {
  const [{ rehearse }, { copyingAtOnce }] = await Promise.all([
    import('../stages/rehearse.js'),
    import('../plan/expected-time.js'),
  ]);
  const rehearsal = await rehearse(database, schema, { holds, total, stop });
  const seconds = rehearsal.seconds_expected * copyingAtOnce(concurrency);
  return { rehearsal, seconds_expected: Math.round(seconds * 10) / 10 };
}

/** @throws `usage` where two flags name the same file: the later list would replace the earlier one */
function requireDistinctFiles({ notice, keys, dormant, out }: PlanFiles): void {
  const named = Object.entries({ notice, keys, dormant, out }).filter(([, file]) => file !== undefined);
  const repeated = named.find(([, file], at) => named.findIndex(([, other]) => other === file) < at);
  if (repeated === undefined) return;
  throw keyliftError('usage', {
    message: `--${repeated[0]}: another flag writes the file ${repeated[1]!}`,
    hint: 'Name a file of its own for each flag.',
  });
}
