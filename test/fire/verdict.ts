import { expect } from 'chai';
import type { Proof } from '../../src/proof/document.js';
import { assertOutcomes } from '../live/sound.js';
import { assertInvariants, assertLedgerKeepsNoToken } from '../support/invariants.js';
import type { Scenario } from '../support/scenario.js';

/** What was counted on the way, for the line that a test prints. */
export type Counts = Record<string, number | string>;

/** Prints what a test counted, under its name. */
export function tell(counts: Counts): void {
  process.stdout.write(
    `      ${Object.entries(counts)
      .map(([what, count]) => `${String(count)} ${what}`)
      .join(', ')}\n`,
  );
}

/**
 * The end of every test under fire: the migration is brought to its end, proven, looked at by independent SQL and by
 * the model of the rules, and taken back exactly.
 */
export async function lastWord(scenario: Scenario, counts: Counts = {}): Promise<void> {
  await scenario.must('migrate --yes', 0, 6);
  const proof = (await scenario.must('verify --json', 0, 4)).json<Proof>();
  expect(proof, JSON.stringify(proof.differences)).to.include({ ok: true });
  await assertInvariants(scenario.db);
  await assertLedgerKeepsNoToken(scenario.db);
  await assertOutcomes(scenario);
  const after = await scenario.everyPair('all');
  const [{ rows }] = (await scenario.db.query<{ rows: string }>('select count(*) as rows from public.api_keys')) as [
    { rows: string },
  ];
  const legacy = await scenario.legacyDigest();
  await scenario.must('rollback --yes');
  expect(await scenario.legacyDigest(), 'the legacy tables after the rollback').to.equal(legacy);
  const before = await scenario.everyPair('none');
  expect(await scenario.db.query('select from public.account_api_keys where origin_api_id is not null')).to.deep.equal(
    [],
  );
  const { lost, gained_store: gained } = proof.authorization;
  tell({
    ...counts,
    'source rows accounted for': rows,
    'account keys equal': proof.keys.compared,
    'pairs judged': after + before,
    lost,
    [`gained of ${String(proof.authorization.predicted_gained_store)} predicted`]: gained,
  });
}
