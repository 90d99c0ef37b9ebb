import { expect } from 'chai';
import { assertInvariants } from '../support/invariants.js';
import { judge, type Switched } from '../support/rules.js';
import type { Scenario } from '../support/scenario.js';

interface Proof {
  ok: boolean;
  differences: unknown[];
}

/** The migration stands and is right: the proof, the invariants, every outcome and every answer by the model. */
export async function assertSound(scenario: Scenario, switched: Switched): Promise<void> {
  const proof = (await scenario.must('verify --json', 0, 4)).json<Proof>();
  expect(proof.differences).to.deep.equal([]);
  expect(proof.ok).to.equal(true);
  await assertInvariants(scenario.db);
  await assertOutcomes(scenario);
  await scenario.everyPair(switched);
}

/** What became of every key, as the model judges the rows that stand there now. */
export async function assertOutcomes(scenario: Scenario): Promise<void> {
  const { db, held } = scenario;
  const expected = [...judge(await scenario.world(), held)]
    .filter(([, { outcome }]) => outcome !== 'stay')
    .map(([id, judgement]) =>
      [
        id,
        judgement.outcome,
        'reason' in judgement ? judgement.reason : '',
        'into' in judgement ? judgement.into : '',
      ].join(' '),
    );
  const found = await db.query<{ row: string }>(`
    select concat_ws(' ', id, 'move', '', '') as row from public.account_api_keys where origin_api_id is not null
    union all select concat_ws(' ', key_id, outcome, coalesce(reason, ''), coalesce(account_key_id::text, ''))
      from keylift.outcomes`);
  expect(found.map(({ row }) => row).sort()).to.deep.equal(expected.sort());
}

/** Runs the migration to its end, whatever waits for a person, and looks that all is right. */
export async function finish(scenario: Scenario): Promise<void> {
  await scenario.must('migrate --yes', 0, 6);
  await assertSound(scenario, 'all');
}
