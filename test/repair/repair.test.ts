import { expect } from 'chai';
import type { RepairReport } from '../../src/repair/repair.js';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';

const PAST = (sql: string): string => `set session_replication_role = replica; ${sql}; reset session_replication_role`;

const TWO: Seed = {
  accounts: ['acme'],
  apis: { invoices: 'store', receipts: 'store', own: 'custom of acme' },
  keys: [
    { id: 1, account: 'acme', api: 'invoices', token: tokenOf('one') },
    { id: 2, account: 'acme', api: 'invoices', token: tokenOf('twice') },
    { id: 3, account: 'acme', api: 'receipts', token: tokenOf('twice') },
    { id: 4, account: 'acme', api: 'own', token: tokenOf('own') },
  ],
};

/** A write past the mirror, what repair finds, and the tokens that open nothing of the store afterwards. */
const DIFFERENCES: Record<string, [sql: string, found: Partial<RepairReport['found']>, dead: string[]]> = {
  'a per-API key is revoked': [
    'update public.api_keys set revoked_at = now() where id = 1',
    { end_account_key: 1 },
    ['one'],
  ],
  'an account key is revoked': [
    'update public.account_api_keys set revoked_at = now() where id = 1',
    { end_per_api_key: 1 },
    ['one'],
  ],
  'an account key expires': [
    `update public.account_api_keys set expires_at = now() - interval '1 day' where id = 1`,
    { end_per_api_key: 1 },
    ['one'],
  ],
  'an account key of duplicates is revoked': [
    'update public.account_api_keys set revoked_at = now() where id = 2',
    { end_per_api_key: 1 },
    ['twice'],
  ],
  'a per-API key is deleted': ['delete from public.api_keys where id = 1', { decide_again: 1 }, ['one']],
  'a per-API key is renamed': [`update public.api_keys set name = 'other' where id = 1`, { decide_again: 1 }, []],
  'an account key is renamed': [
    `update public.account_api_keys set name = 'other' where id = 1`,
    { decide_again: 1 },
    [],
  ],
  'a per-API key is inserted': [
    `insert into public.api_keys (id, account_id, api_id, token, created_at) overriding system value values (9, 1, 1, '${tokenOf('new')}', now())`,
    { decide_again: 1 },
    [],
  ],
  'an account key has another creation date': [
    'update public.account_api_keys set created_at = now() where id = 1',
    { decide_again: 1 },
    [],
  ],
};

describe('repair', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(TWO);
  });
  afterEach(() => scenario.close());

  for (const until of ['harden', 'switch']) {
    for (const [what, [sql, found, dead]] of Object.entries(DIFFERENCES)) {
      it(`brings back in line, after ${until}: ${what}`, async () => {
        await scenario.must(`migrate --yes --until ${until}`);
        await scenario.db.query(PAST(sql));
        await scenario.must('verify', 4);
        const before = [await scenario.legacyDigest(), await scenario.targetDigest()];
        const plan = (await scenario.must('repair --dry-run --json')).json<RepairReport>();
        expect(plan).to.include({ repaired: false, proof: null, stage: until });
        expect(plan.found).to.include(found);
        expect([await scenario.legacyDigest(), await scenario.targetDigest()]).to.deep.equal(before);
        const done = (await scenario.must('repair --yes --json')).json<RepairReport>();
        expect(done).to.deep.include({ repaired: true, found: plan.found });
        expect(done.proof?.ok).to.equal(true);
        await scenario.must('verify');
        await assertInvariants(scenario.db);
        await scenario.everyPair(until === 'switch' ? 'all' : 'none');
        for (const word of dead)
          for (const api of [1, 2])
            expect(await scenario.authorize(tokenOf(word), api), `${word}, ${String(api)}`).to.be.empty;
        expect((await scenario.must('repair --yes --json')).json<RepairReport>().found).to.deep.equal({
          end_per_api_key: 0,
          end_account_key: 0,
          decide_again: 0,
        });
      });
    }
  }

  it('asks before it writes', async () => {
    await scenario.must('migrate --yes');
    await scenario.db.query(PAST('update public.api_keys set revoked_at = now() where id = 1'));
    expect((await scenario.must('repair', 3)).stderr).to.include('(code confirmation_missing)');
    await scenario.must('verify', 4);
  });

  it('is refused without a migration, and while a rollback is unfinished', async () => {
    expect((await scenario.must('repair --yes', 3)).stderr).to.include('(code nothing_migrated)');
    await scenario.must('migrate --yes');
    await scenario.must('rollback --yes');
    expect((await scenario.must('repair --yes', 3)).stderr).to.include('(code nothing_migrated)');
  });

  it('before harden installs the change log again and logs what was missed', async () => {
    await scenario.must('migrate --yes --until backfill');
    await scenario.db.query(
      `alter table public.api_keys disable trigger user;
       update public.api_keys set revoked_at = now() where id = 1;
       delete from public.api_keys where id = 3;
       insert into public.api_keys (account_id, api_id, token, created_at) values (1, 1, '${tokenOf('new')}', now())`,
    );
    const done = (await scenario.must('repair --yes --json')).json<RepairReport>();
    expect(done).to.include({ stage: 'backfill', repaired: true, proof: null });
    expect(done.mirror?.ok).to.equal(false);
    await scenario.must('migrate --yes');
    await scenario.must('verify');
    await scenario.everyPair('all');
  });

  it('ends what is dead in the archive or in Settings, after finalize', async () => {
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
    await scenario.db.query(
      PAST(`update public.account_api_keys set revoked_at = now() where id = 1;
        update keylift.archived_keys set revoked_at = now() where id = 2`),
    );
    await scenario.must('verify', 4);
    await scenario.must('repair --yes', 0, 4);
    for (const word of ['one', 'twice']) expect(await scenario.authorize(tokenOf(word), 1)).to.be.empty;
    await scenario.must('rollback --yes');
    for (const word of ['one']) expect(await scenario.authorize(tokenOf(word), 1)).to.be.empty;
  });

  it('installs the triggers of finalize again', async () => {
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
    await scenario.db.query(
      'drop trigger keylift_guard on public.api_keys; drop trigger keylift_born on public.account_api_keys',
    );
    await scenario.must('verify', 4);
    await scenario.must('repair --yes');
    await scenario.must('verify');
    const refused = await scenario.db
      .query(`insert into public.api_keys (account_id, api_id, token, created_at) values (1, 1, 't', now())`)
      .then(
        () => 'accepted',
        () => 'refused',
      );
    expect(refused).to.equal('refused');
    await scenario.must('rollback --yes');
  });
});

describe('repair of many kinds of keys', () => {
  it('finds nothing where nothing is out of line, and mends a mirror that was off meanwhile', async () => {
    const scenario = await Scenario.of(MOTLEY);
    try {
      await scenario.must('migrate --yes', 6);
      expect((await scenario.must('repair --dry-run')).stdout).to.equal('Nothing is out of line.\n');
      await scenario.db.query(
        `alter table public.api_keys disable trigger user; alter table public.account_api_keys disable trigger user;
         update public.api_keys set revoked_at = now() where id % 5 = 0 and revoked_at is null;
         delete from public.api_keys where id % 7 = 0;
         update public.api_keys set name = 'renamed' where id % 3 = 0`,
      );
      await scenario.must('repair --yes');
      await assertInvariants(scenario.db);
      await scenario.everyPair('all');
      await scenario.must('rollback --yes');
    } finally {
      await scenario.close();
    }
  });
});
