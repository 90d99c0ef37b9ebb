import { EXIT, UsageError } from '../errors.js';
import { requireState } from '../ledger/state.js';
import { prove } from '../proof/verify.js';
import { proofText } from '../report/proof-text.js';
import { keepProof } from '../stages/migrate.js';
import type { Run } from './context.js';
import type { VerifyArguments } from './definitions/looking.js';
import { openMigration } from './migration.js';

export const run: Run<VerifyArguments> = async (context, args) => {
  if (args.replay !== undefined || args.probe !== undefined) {
    throw new UsageError('not_yet', '--replay and --probe are not part of this version', { hint: 'Run keylift verify without them.' });
  }
  const { database, schema } = await openMigration(context);
  await database.readOnly((session) => requireState(session, 'verify'));
  const proof = await prove(database, schema, {
    stop: context.stop,
    onProgress: (rows) => { context.logger.info(`  ${String(rows)} keys looked at`); },
  });
  await database.transaction((session) => keepProof(session, { proof, runId: null }));
  if (context.json) context.printAnswer(proof);
  else context.write(proofText(proof));
  return proof.ok ? EXIT.done : EXIT.differences;
};
