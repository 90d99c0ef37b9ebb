import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { plantMany, tokenOf } from '../support/seed.js';
import { assertSound } from './sound.js';

/** The stable hash, written a second time: the first four bytes of SHA-256 of the id's text, modulo a million. */
const bucket = (account: string | number): number =>
  createHash('sha256').update(String(account)).digest().readUInt32BE(0) % 1_000_000;
const cohort = (percent: number, accounts: readonly string[]): Set<string> =>
  new Set(accounts.filter((id) => bucket(id) < percent * 10_000));

interface Report {
  mode: string;
  accounts: { switched: number; total: number };
}

describe('switch', () => {
  let verified: Scenario;
  let scenario: Scenario;
  before(async () => {
    verified = await Scenario.of(MOTLEY);
    await verified.must('migrate --yes --until verify', 6);
  });
  after(() => verified.close());
  beforeEach(async () => {
    scenario = await verified.copy();
  });
  afterEach(() => scenario.close());
  const file = (ids: readonly string[]) => scenario.file('accounts.csv', ['account_id', ...ids, ''].join('\n'));

  for (const ids of [['1'], ['2', '3'], ['1', '4', '5']]) {
    it(`answers accounts ${ids.join(', ')} from Settings and all others by their per-API keys`, async () => {
      await scenario.must(`switch --accounts ${await file(ids)} --yes`);
      expect(await scenario.everyPair(new Set(ids))).to.be.greaterThan(200);
      await scenario.everyView(new Set(ids));
      await assertSound(scenario, new Set(ids));
    });
  }

  it('takes what was said last of an account', async () => {
    await scenario.must('switch --all --yes');
    await scenario.must(`switch --accounts ${await file(['2'])} --back --yes`);
    await scenario.everyPair(new Set(['1', '3', '4', '5']));
    await scenario.must('switch --all --yes');
    await scenario.everyPair('all');
    await scenario.must('switch --back --yes');
    await scenario.everyPair('none');
    await scenario.must(`switch --accounts ${await file(['2'])} --yes`);
    await scenario.everyPair(new Set(['2']));
    await scenario.must(`switch --accounts ${await file(['2'])} --back --yes`);
    await assertSound(scenario, 'none');
  });

  it('carries changes on for switched and unswitched accounts alike', async () => {
    await scenario.must(`switch --accounts ${await file(['1'])} --yes`);
    await scenario.db.query(
      `update public.api_keys set revoked_at = now() where id in (1, 6);
        update public.account_api_keys set revoked_at = now() where id in (2, 7)`,
    );
    await scenario.db.query(
      `insert into public.api_keys (account_id, api_id, token) values (1, 1, '${tokenOf('one')}'), (2, 1,
        '${tokenOf('two')}')`,
    );
    await assertSound(scenario, new Set(['1']));
  });

  it('keeps a finished switch from being called done while an account is back', async () => {
    await scenario.must('switch --all --yes');
    expect((await scenario.must('status --json')).json()).to.include({ stage: 'switch' });
    await scenario.must(`switch --accounts ${await file(['1'])} --back --yes`);
    expect((await scenario.must('status --json')).json()).to.include({ stage: 'verify' });
    expect((await scenario.run('finalize --yes')).exitCode).to.equal(3);
  });

  it('is refused before the proof has passed, and changes nothing', async () => {
    for (const stage of ['expand', 'backfill', 'harden']) {
      const early = await Scenario.of(MOTLEY);
      try {
        await early.must(`migrate --yes --until ${stage}`, 0, 6);
        for (const who of [
          '--all',
          '--cohort 5%',
          '--back',
          `--accounts ${await early.file('a.csv', 'account_id\n1\n')}`,
        ]) {
          const { exitCode, stderr } = await early.run(`switch ${who} --yes`);
          expect([exitCode, stderr.includes('not-verified')], stderr).to.deep.equal([3, true]);
        }
        await early.everyPair('none');
      } finally {
        await early.close();
      }
    }
  });

  it('is refused where nothing was migrated or all was taken back', async () => {
    await scenario.must('rollback --yes');
    expect((await scenario.run('switch --all --yes')).exitCode).to.equal(3);
    await scenario.everyPair('none');
  });

  it('is refused without --yes where nobody can answer, and changes nothing', async () => {
    expect((await scenario.run('switch --all')).exitCode).to.equal(3);
    await scenario.everyPair('none');
  });

  it('refuses accounts nobody knows', async () => {
    expect((await scenario.run(`switch --accounts ${await file(['1', '77'])} --yes`)).exitCode).to.equal(2);
    await scenario.everyPair('none');
  });
});

describe('switch by cohort', () => {
  let scenario: Scenario;
  let accounts: string[];
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 1_000 });
    accounts = (await scenario.db.query<{ id: string }>('select id::text from public.accounts')).map(({ id }) => id);
    await scenario.must('migrate --yes --until verify');
  });
  after(() => scenario.close());

  const turn = async (line: string): Promise<Report> =>
    (await scenario.must(`switch ${line} --yes --json`)).json<Report>();

  it('takes a stable share, and a larger one holds the smaller', async () => {
    for (const percent of [5, 10, 2.5, 50]) {
      const widest = Math.max(...(percent === 2.5 ? [10] : [percent]));
      const expected = cohort(widest, accounts);
      const report = await turn(`--cohort ${String(percent)}%`);
      expect(report).to.deep.include({ mode: 'some', accounts: { switched: expected.size, total: accounts.length } });
      await scenario.everyPair(expected);
    }
    expect([...cohort(5, accounts)].every((id) => cohort(10, accounts).has(id))).to.equal(true);
    expect(cohort(5, accounts).size).to.be.greaterThan(0);
  });

  it('is taken back as quickly, in parts', async () => {
    await turn('--cohort 5% --back');
    const left = new Set([...cohort(50, accounts)].filter((id) => bucket(id) >= 50_000));
    await scenario.everyPair(left);
    await scenario.everyView(left);
  });

  it('takes accounts made afterwards by the rule in force', async () => {
    await scenario.db.query(
      `insert into public.accounts (id, kind, name) select n, 'user', 'later' from generate_series(5001, 5060) n`,
    );
    await scenario.db.query(
      `insert into public.api_keys (account_id, api_id, name, token) select n, 1, 'later', '${tokenOf('later')}' || n
        from generate_series(5001, 5060) n`,
    );
    const all = [...accounts, ...Array.from({ length: 60 }, (_, n) => String(5001 + n))];
    const inForce = new Set([...cohort(50, all)].filter((id) => bucket(id) >= 50_000));
    expect([...inForce].some((id) => Number(id) > 5000)).to.equal(true);
    await scenario.everyPair(inForce);
    await turn('--cohort 5%');
    await scenario.everyPair(cohort(50, all));
    expect((await turn('--all')).mode).to.equal('all');
    await assertSound(scenario, 'all');
    expect((await turn('--cohort 100% --back')).mode).to.equal('none');
    await assertSound(scenario, 'none');
  });
});
