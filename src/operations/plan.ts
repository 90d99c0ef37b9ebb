import { keyliftError } from '../errors/keylift-error.js';
import type { Holds } from '../ledger/holds.js';
import type { Lists } from '../plan/lists/write.js';
import { checkOutputs, type PlanFiles } from '../plan/outputs.js';
import { readExcluded, type Excluded } from '../plan/excluded.js';
import type { Plan } from '../plan/plan.js';
import type { Rehearsal } from '../stages/rehearse.js';
import type { ShownStatement } from '../stages/show-sql.js';
import type { Finding } from '../surroundings/finding.js';
import { concerns } from '../surroundings/findings.js';
import type { OperationContext } from './context.js';
import type { Opened } from './opened.js';
import { paceOf, withPlan, type PaceOptions, type Planned } from './planned.js';

export interface PlanOptions extends PlanFiles, PaceOptions {
  /** A holds file; without one, the holds that the ledger has. */
  holds?: string | undefined;
  /** Runs one batch in a transaction that is rolled back, and measures it. */
  rehearse?: boolean | undefined;
  /** Adds the statements that would run. */
  showSql?: boolean | undefined;
  /** Exceptions to list at most; default 10,000. `exceptions_by_reason` counts all. */
  listed?: number | undefined;
}

/** What `plan --json` prints: schemas/plan.schema.json. */
export interface PlanDocument extends Plan, Lists {
  /** What a person must look at before the migration. */
  surroundings: Finding[];
  rehearsal?: Rehearsal;
  saved?: { file: string };
  sql?: ShownStatement[];
  /** Where the configuration has a `where`: the rows that it keeps out. */
  excluded?: Excluded;
}

/** Refuses files that cannot be written or that two options name, before anything is read. */
export function checkPlanFiles(files: PlanFiles): void {
  requireDistinctFiles(files);
  checkOutputs(files);
}

/** Makes a plan and writes the files that the options name. It writes nothing to the database. */
export async function plan(
  context: Pick<OperationContext, 'stop'>,
  opened: Opened,
  options: PlanOptions,
): Promise<PlanDocument> {
  const { holds: file, listed, rehearse = false, showSql = false } = options;
  const request = { holds: file, pace: paceOf(options), ...(listed !== undefined && { listed }) };
  const { counts, holds, excluded, surroundings, files } = await withPlan(opened, request, async (planned) => ({
    counts: planned.plan,
    holds: planned.holds,
    excluded: await readExcluded(planned.session, opened.schema),
    surroundings: await concerns(planned.session, opened.schema),
    files: await writeFiles(context, opened, { options, planned }),
  }));
  const rehearsal = rehearse ? await rehearsed(context, opened, { options, holds, plan: counts }) : undefined;
  return {
    ...counts,
    ...(rehearsal && { seconds_expected: rehearsal.seconds_expected }),
    ...(excluded && { excluded }),
    surroundings,
    ...(rehearsal && { rehearsal: rehearsal.rehearsal }),
    ...files,
    ...(showSql && { sql: (await import('../stages/show-sql.js')).shownStatements(opened.schema) }),
  };
}

async function writeFiles(
  { stop }: Pick<OperationContext, 'stop'>,
  { schema }: Opened,
  { options, planned: { session, plan, holds, installed } }: { options: PlanOptions; planned: Planned },
): Promise<Lists & Pick<PlanDocument, 'saved'>> {
  const { notice, keys, dormant, out } = options;
  const files = { notice, keys, dormant };
  const lists = Object.values(files).some((file) => file !== undefined)
    ? await (await import('../plan/lists/write.js')).writeLists(session, schema, { files, holds, installed, stop })
    : {};
  if (out === undefined) return lists;
  const { savedPlanOf, writeSavedPlan } = await import('../plan/saved/document.js');
  await writeSavedPlan(out, await savedPlanOf(session, schema, { plan, holds }));
  return { ...lists, saved: { file: out } };
}

/** A rehearsal, and its pace with as many batches at once as the options say. */
async function rehearsed(
  { stop }: Pick<OperationContext, 'stop'>,
  { database, schema }: Opened,
  { options: { concurrency = 1 }, holds, plan: { total } }: { options: PlanOptions; holds: Holds; plan: Plan },
): Promise<{ rehearsal: Rehearsal; seconds_expected: number }> {
  const [{ rehearse }, { copyingAtOnce }] = await Promise.all([
    import('../stages/rehearse.js'),
    import('../plan/expected-time.js'),
  ]);
  const rehearsal = await rehearse(database, schema, { holds, total, stop });
  const seconds = rehearsal.seconds_expected * copyingAtOnce(concurrency);
  return { rehearsal, seconds_expected: Math.round(seconds * 10) / 10 };
}

/** @throws `usage` where two options name the same file: the later list would replace the earlier one */
function requireDistinctFiles({ notice, keys, dormant, out }: PlanFiles): void {
  const named = Object.entries({ notice, keys, dormant, out }).filter(([, file]) => file !== undefined);
  const repeated = named.find(([, file], at) => named.findIndex(([, other]) => other === file) < at);
  if (repeated === undefined) return;
  throw keyliftError('usage', {
    message: `--${repeated[0]}: another flag writes the file ${repeated[1]!}`,
    hint: 'Name a file of its own for each flag.',
  });
}
