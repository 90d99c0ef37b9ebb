import { withArena } from '../arena.js';
import { plansOf, type Plan } from './plans.js';
import { costsOf, type StatementCost } from './statements.js';
import { subjects } from './subjects.js';

/** Where the time of one subject goes. */
export interface Profile {
  subject: string;
  costs: StatementCost[];
  plans: Plan[];
}

/** One run of each subject with `pg_stat_statements`, and another with `auto_explain`, which costs time of its own. */
export async function profiles({ keys, say }: { keys: number; say: (line: string) => void }): Promise<Profile[]> {
  const settings = { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track': 'all' };
  return withArena({ keys, say, settings }, async (arena) => {
    const found: Profile[] = [];
    for (const { name, of, work, plans } of await subjects(arena)) {
      say(name);
      const from = of === undefined ? {} : { of };
      found.push({
        subject: name,
        costs: await arena.onCopy((copy) => costsOf(copy, () => work(copy)), from),
        plans: await arena.onCopy(
          (copy) => plansOf(copy, { ...plans, logFile: arena.logFile }, () => work(copy)),
          from,
        ),
      });
    }
    return found;
  });
}

/** Markdown: a table of statements for each subject. */
export const costsText = ({ subject, costs }: Profile): string =>
  [
    `## ${subject}`,
    '',
    '| statement | calls | total ms | mean ms | rows | pages hit | read | WAL bytes |',
    '|---|---|---|---|---|---|---|---|',
    ...costs.map(
      (c) =>
        `| ${c.sent ? '' : '· '}${c.statement.replaceAll('|', '\\|')} ` +
        `| ${String(c.calls)} | ${c.totalMs.toFixed(0)} | ${c.meanMs.toFixed(c.meanMs < 10 ? 4 : 0)} | ` +
        `${String(c.rows)} | ${String(c.hit)} | ${String(c.read)} | ${String(c.walBytes)} |`,
    ),
  ].join('\n');

/** … and the plans of its longest runs. */
export const plansText = ({ plans }: Profile): string =>
  plans
    .map(({ statement, ms, text }) => `### ${statement}\n\n${ms.toFixed(3)} ms\n\n\`\`\`text\n${text}\n\`\`\``)
    .join('\n\n');
