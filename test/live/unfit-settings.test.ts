import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';

const native = (account: number, token: string): string =>
  `insert into public.account_api_keys (id, account_id, name, token)
    values (7001, ${String(account)}, 'made in Settings', '${token}')`;

interface Unfit {
  means: string;
  make: (scenario: Scenario) => Promise<unknown>;
  mend: string;
}

/**
 * Keys born in Settings while nothing but a person could tell what they should be: before harden the table takes them.
 */
const UNFIT: Record<string, Unfit> = {
  'without a token': {
    means: 'no token',
    make: ({ db }) => past(db, native(1, '')),
    mend: `update public.account_api_keys set token = '${tokenOf('given later')}' where id = 7001`,
  },
  "with a scope of somebody's own": {
    means: 'a scope other than store_apis',
    make: ({ db }) =>
      past(db, `${native(1, tokenOf('native'))}; update public.account_api_keys set scope = 'all' where id = 7001`),
    mend: 'delete from public.account_api_keys where id = 7001',
  },
  'of an account that was deleted since': {
    means: 'no account',
    make: async ({ db }) => {
      await db.query(`insert into public.accounts (id, kind, name) values (900, 'user', 'short-lived')`);
      await past(db, native(900, tokenOf('native')));
      await db.query('delete from public.accounts where id = 900');
    },
    mend: 'delete from public.account_api_keys where id = 7001',
  },
  'of an account that never was': {
    means: 'no account',
    make: ({ db }) => past(db, native(901, tokenOf('native'))),
    mend: 'update public.account_api_keys set account_id = 1 where id = 7001',
  },
};

/** Writes with the mirror's triggers off, as a restore does. */
const past = (db: Scenario['db'], statement: string): Promise<unknown> =>
  db.query(`set session_replication_role = replica; ${statement}; reset session_replication_role`);

describe('keys born in Settings that harden cannot take', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes --until backfill', 6);
  });
  afterEach(() => scenario.close());

  const stands = () =>
    scenario.db.query('select id, account_id, name, token from public.account_api_keys where id = 7001');

  for (const [what, { means, make, mend }] of Object.entries(UNFIT)) {
    it(`${what}: named, left alone, and migrated past once a person has decided`, async () => {
      await make(scenario);
      const before = await stands();
      for (const attempt of ['first', 'again']) {
        const { stderr } = await scenario.must('migrate --yes', 3);
        expect(stderr, attempt)
          .to.match(new RegExp(`7001: ${means}`))
          .and.include('runbook.md#unfit-keys');
      }
      expect(await stands()).to.deep.equal(before);
      await scenario.everyPair('none');
      await scenario.db.query(mend);
      await scenario.must('migrate --yes', 6);
      await scenario.must('verify');
    });
  }

  it('one without a token is refused where it is made', async () => {
    const refused = await scenario.db
      .query(`insert into public.account_api_keys (account_id, token) values (1, '')`)
      .then(
        () => 'taken',
        (error: unknown) => (error as { code?: string }).code,
      );
    expect(refused).to.equal('23514');
  });

  it('what can be settled is settled beside them, and rollback does not mind them', async () => {
    await UNFIT['without a token']!.make(scenario);
    await scenario.db.query('delete from public.accounts where id = 2');
    const { stderr } = await scenario.must('migrate --yes', 3);
    expect(stderr).to.include('7001: no token');
    expect(
      await scenario.db.query(`select count(*)::int as n from public.account_api_keys where account_id = 2`),
    ).to.deep.equal([{ n: 0 }]);
    await scenario.must('rollback --yes');
    expect(await stands()).to.have.length(1);
  });
});
