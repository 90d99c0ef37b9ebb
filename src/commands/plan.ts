import { openSameSnapshot } from '../database/same-snapshot.js';
import { EXIT } from '../errors/exit-codes.js';
import { checkOutput } from '../files/placement.js';
import { holdsOfLedger } from '../ledger/holds.js';
import { readInstalled } from '../ledger/installed.js';
import { readHolds } from '../plan/holds.js';
import { planMove } from '../plan/plan.js';
import { EXCEPTIONS_SHOWN, planText } from '../console/plan-text.js';
import { DEFAULT_PACE } from '../run/context.js';
import type { Run } from './command.js';
import type { planCommand } from './definitions/prepare.js';
import { openMapped } from './opened.js';

export const run: Run<typeof planCommand> = async (context, args) => {
  const notices = args.notice === undefined ? undefined : await import('../plan/notice.js');
  if (args.notice !== undefined) checkOutput(notices!.noticeOutput(args.notice));
  const { database, schema } = await openMapped(context);
  const { stop } = context;
  // One snapshot, so that the counts agree with the listed exceptions and with the notice.
  const { holds, plan, notice } = await database.readOnly(
    async (session) => {
      const installed = await readInstalled(session, schema.settings, { visibleOnly: true });
      const holds =
        args.holds === undefined
          ? await holdsOfLedger(session, installed)
          : await readHolds(session, args.holds, schema);
      const plan = await planMove(session, schema, {
        holds,
        installed,
        batchSize: DEFAULT_PACE.batchSize,
        ...(!context.json && { listed: EXCEPTIONS_SHOWN }),
        inSameSnapshot: await openSameSnapshot(database, session),
      });
      const notice =
        args.notice === undefined
          ? undefined
          : await notices!.writeNotice(session, schema, { file: args.notice, holds, installed, stop });
      return { holds, plan, notice };
    },
    { isolation: 'repeatable read' },
  );
  const rehearsal = args.rehearse
    ? await (await import('../stages/rehearse.js')).rehearse(database, schema, { holds, total: plan.total, stop })
    : undefined;
  const measured = rehearsal === undefined ? plan : { ...plan, seconds_expected: rehearsal.seconds_expected };
  const further = { ...(rehearsal && { rehearsal }), ...(notice && { notice }) };
  const shown = args.showSql ? await import('../stages/show-sql.js') : undefined;
  if (context.json)
    context.printAnswer({ ...measured, ...further, ...(shown && { sql: shown.shownStatements(schema) }) });
  else {
    context.write(planText(measured, further));
    if (shown !== undefined) context.write(`\n${shown.shownSql(schema)}`);
  }
  return plan.outcomes.exception > 0 ? EXIT.exceptions : EXIT.done;
};
