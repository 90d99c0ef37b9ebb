import { besideInSnapshot } from '../database/same-snapshot.js';
import { EXIT } from '../errors/exit-codes.js';
import { holdsOfLedger, readHolds } from '../plan/holds.js';
import { planMove } from '../plan/plan.js';
import { EXCEPTIONS_SHOWN, planText } from '../console/plan-text.js';
import { concerns } from '../surroundings/findings.js';
import type { Run } from './command.js';
import type { planCommand } from './definitions/prepare.js';
import { DEFAULT_PACE, openMapped } from './opened.js';

export const run: Run<typeof planCommand> = async (context, args) => {
  const { database, schema } = await openMapped(context);
  const { stop } = context;
  // One snapshot, so that the exceptions listed are the exceptions counted, and the customers told the keys counted.
  const { holds, plan, notice, surroundings } = await database.readOnly(
    async (session) => {
      const holds =
        args.holds === undefined ? await holdsOfLedger(session) : await readHolds(session, args.holds, schema);
      const plan = await planMove(session, schema, {
        holds,
        batchSize: DEFAULT_PACE.batchSize,
        ...(!context.json && { listed: EXCEPTIONS_SHOWN }),
        beside: await besideInSnapshot(database, session),
      });
      const notice =
        args.notice === undefined
          ? undefined
          : await (await import('../plan/notice.js')).writeNotice(session, schema, { file: args.notice, holds, stop });
      return { holds, plan, notice, surroundings: await concerns(session, schema.settings) };
    },
    { isolation: 'repeatable read' },
  );
  const rehearsal = args.rehearse
    ? await (await import('../stages/rehearse.js')).rehearse(database, schema, { holds, total: plan.total, stop })
    : undefined;
  const measured = rehearsal === undefined ? plan : { ...plan, seconds_expected: rehearsal.seconds_expected };
  const sql = args.showSql ? (await import('../stages/show-sql.js')).planStatements(schema) : undefined;
  const further = { surroundings, ...(rehearsal && { rehearsal }), ...(notice && { notice }) };
  if (context.json) context.printAnswer({ ...measured, ...further, ...(sql && { sql }) });
  else {
    context.write(planText(measured, further));
    for (const { title, text } of sql ?? []) context.write(`\n-- ${title}\n${text.trim()};\n`);
  }
  return plan.outcomes.exception > 0 ? EXIT.exceptions : EXIT.done;
};
