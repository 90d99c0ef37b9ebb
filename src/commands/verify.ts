import { probeText, proofText, unprovenText } from '../console/proof-text.js';
import { replayText } from '../console/replay-text.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { verify, verifyDocument, type Evidence } from '../operations/verify.js';
import type { Run } from './command.js';
import type { verifyCommand } from './definitions/migrate.js';
import { operating } from './operating.js';

export const run: Run<typeof verifyCommand> = async (context, args) => {
  const evidence = await verify(operating(context), args);
  if (context.json) context.printAnswer(verifyDocument(evidence));
  else context.write(textOf(evidence));
  return exitOf(evidence);
};

function textOf({ proof, replay: replayed, probe: probed }: Evidence): string {
  return [
    typeof proof === 'string' ? unprovenText(proof) : proofText(proof),
    ...(replayed === undefined ? [] : [replayText(replayed)]),
    ...(probed === undefined ? [] : [probeText(probed)]),
  ].join('');
}

/** A difference comes first, then a gateway that could not be reached, then a file without decisions. */
function exitOf({ proof, replay: replayed, probe: probed }: Evidence): ExitCode {
  const differs =
    (typeof proof !== 'string' && !proof.ok) || (replayed?.unexplained ?? 0) > 0 || (probed?.different ?? 0) > 0;
  if (differs) return EXIT.differences;
  if ((probed?.unanswered ?? 0) > 0) return EXIT.unreachable;
  return replayed?.ok === false ? EXIT.usage : EXIT.done;
}
