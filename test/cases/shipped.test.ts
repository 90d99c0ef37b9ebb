import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { captureAccess } from '../../src/cases/capture.js';
import { describeDifference } from '../../src/cases/compare.js';
import { readFixture, type Fixture } from '../../src/cases/fixture.js';
import { withMove, type Move } from '../../src/cases/move.js';
import { captureMove, loadFixture, stepsOf } from '../../src/cases/run.js';
import { compareWithStored } from '../../src/cases/store.js';
import { openDatabase } from '../../src/database/connect.js';
import type { Plan } from '../../src/plan/plan.js';
import { NEVER } from '../../src/timing.js';
import { useTestDatabase } from '../support/database.js';
import { SHIPPED } from './case-directory.js';
import { OUTCOMES, type ExpectedOutcomes } from './shipped-outcomes.js';

const OPTIONS = { stop: NEVER };

/** Rows that only one of the two tables has, repeated rows counted. */
const NOT_AS_BEFORE = `
  (TABLE public.api_keys EXCEPT ALL TABLE public.api_keys_before) UNION ALL
  (TABLE public.api_keys_before EXCEPT ALL TABLE public.api_keys)`;

describe('snapshot: every shipped case', () => {
  const scratch = useTestDatabase({ schema: 'none', each: true });
  const names = readdirSync(SHIPPED).sort();

  it('has its outcomes written down', () => {
    expect(Object.keys(OUTCOMES).sort()).to.deep.equal(names);
  });

  for (const name of names) {
    it(`${name}: plan, migrate, verify, roll back, and all of it again`, async () => {
      const fixture = await readFixture(path.join(SHIPPED, name));
      const { url } = scratch();
      const loading = await openDatabase(url);
      await loadFixture(loading, fixture.rows);
      await loading.withSession(
        (session) => session.query('CREATE TABLE public.api_keys_before AS TABLE public.api_keys'),
        { name: 'test' },
      );
      await loading.close();
      await withMove({ ...OPTIONS, url }, async (move) => {
        for (const round of ['first', 'again']) {
          expect(await differencesFrom(fixture, move, url), round).to.deep.equal([]);
          await expectOutcomes(move, { fixture, expected: OUTCOMES[name]! });
          const proof = await move.verify();
          expect([proof.ok, proof.authorization.gained_store], round).to.deep.equal([true, OUTCOMES[name]!.gained]);
          await expectTheWayBack(move);
        }
      });
    });
  }
});

async function differencesFrom(fixture: Fixture, { database }: Move, url: string): Promise<string[]> {
  const captured = await captureMove(database, { holdsFile: fixture.holdsFile, url, steps: stepsOf(OPTIONS) });
  return (await compareWithStored(fixture.directory, captured)).map(describeDifference);
}

/** The tables and the ledger as they stand, and the plan, against what was derived by hand. */
async function expectOutcomes(
  { database, plan }: Move,
  { fixture, expected }: { fixture: Fixture; expected: ExpectedOutcomes },
): Promise<void> {
  const idsOf = (sql: string) =>
    database.readOnly(async (s) => (await s.query<{ id: string }>(sql)).rows.map(({ id }) => id));
  expect(await idsOf('SELECT t.id::text FROM public.account_api_keys t ORDER BY t.id'), 'moved').to.deep.equal(
    expected.move,
  );
  for (const outcome of ['merge', 'hold'] as const) {
    expect(
      await idsOf(`SELECT key_id::text AS id FROM keylift.outcomes WHERE outcome = '${outcome}' ORDER BY key_id`),
      outcome,
    ).to.have.ordered.members(expected[outcome] ?? []);
  }
  const planned = await plan(fixture.holdsFile);
  expect(byReason(planned)).to.deep.equal(expected.exceptions ?? {});
  const { move, stay = [], merge = [], hold = [], exceptions = {} } = expected;
  const exception = Object.values(exceptions).flat().length;
  expect(planned.outcomes).to.deep.equal({
    move: move.length,
    stay: stay.length,
    merge: merge.length,
    hold: hold.length,
    exception,
  });
  const all = [...move, ...stay, ...merge, ...hold, ...Object.values(exceptions).flat()];
  expect(new Set(all)).to.deep.equal(new Set(fixture.rows.keys.map(({ id }) => String(id))));
  expect(planned.total).to.equal(all.length);
}

const byReason = ({ exceptions }: Plan): Record<string, string[]> => {
  const found: Record<string, string[]> = {};
  for (const { key_id: id, reason } of exceptions) (found[reason] ??= []).push(id);
  return found;
};

/** After a rollback the legacy table is what it was, and authorize answers every token at every API by the old rule. */
async function expectTheWayBack({ database, rollBack }: Move): Promise<void> {
  expect((await rollBack()).born_in_settings).to.deep.equal([]);
  await database.readOnly(async (session) => {
    expect((await session.query(NOT_AS_BEFORE)).rows).to.deep.equal([]);
    expect((await session.query('SELECT FROM public.account_api_keys')).rowCount).to.equal(0);
    const byOldRule = (await captureAccess(session, 'old')).map(({ answer, ...door }) => ({
      ...door,
      answer: answer === null ? null : `${answer} (per_api)`,
    }));
    expect(await captureAccess(session, 'new')).to.deep.equal(byOldRule);
  });
}
