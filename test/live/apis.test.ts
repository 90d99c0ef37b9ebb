import { expect } from 'chai';
import type { Proof } from '../../src/proof/document.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';

const SHOP: Seed = {
  accounts: ['acme', 'bolt'],
  apis: { invoices: 'store', receipts: 'store', own: 'custom of acme' },
  keys: [
    { id: 1, account: 'acme', api: 'invoices', token: tokenOf('invoices') },
    { id: 2, account: 'acme', api: 'receipts', token: tokenOf('receipts') },
    { id: 3, account: 'acme', api: 'own', token: tokenOf('own') },
    { id: 4, account: 'bolt', api: 'invoices', token: tokenOf('twice') },
    { id: 5, account: 'bolt', api: 'receipts', token: tokenOf('twice') },
  ],
};
const [INVOICES, RECEIPTS, OWN] = [1, 2, 3];

const FOREIGN_KEY =
  'alter table public.api_keys add foreign key (api_id) references public.apis (id) on delete cascade';

describe('an API that is deleted', () => {
  for (const { how, before, remove } of [
    { how: 'with its keys, by a foreign key', before: FOREIGN_KEY, remove: 'delete from public.apis where id = 1' },
    {
      how: 'and then its keys, one by one, without a foreign key',
      before: 'select',
      remove: `delete from public.apis where id = 1; delete from public.api_keys where id = 1;
        delete from public.api_keys where id = 4`,
    },
  ]) {
    for (const until of ['backfill', 'harden', 'switch']) {
      it(`leaves its account keys: ${how}, after ${until}`, async () => {
        const scenario = await Scenario.of(SHOP);
        try {
          await scenario.db.query(before);
          await scenario.must(`migrate --yes --until ${until}`);
          await scenario.db.query(remove);
          await scenario.must('migrate --yes');
          expect((await scenario.must('verify --json')).json<Proof>().differences).to.deep.equal([]);
          expect((await scenario.must('repair --yes --dry-run')).stdout).to.equal('Nothing is out of line.\n');
          expect(await scenario.authorize(tokenOf('twice'), RECEIPTS)).to.have.nested.property('0.source', 'account');
          if (until === 'backfill') return;
          expect(await scenario.authorize(tokenOf('invoices'), RECEIPTS)).to.deep.equal([
            { key_id: '1', account_id: '1', source: 'account' },
          ]);
          await scenario.db.query('update public.account_api_keys set revoked_at = now() where id = 1');
          expect(await scenario.authorize(tokenOf('invoices'), RECEIPTS)).to.be.empty;
          await scenario.must('verify');
        } finally {
          await scenario.close();
        }
      });
    }
  }

  it('leaves its token to a new key of the account, and to none of another account', async () => {
    const scenario = await Scenario.of(SHOP);
    try {
      await scenario.db.query(FOREIGN_KEY);
      await scenario.must('migrate --yes');
      await scenario.db.query('delete from public.apis where id = 1');
      const insert = (id: number, account: number) =>
        scenario.db.query(
          `insert into public.api_keys (id, account_id, api_id, token, created_at) overriding system value
           values (${String(id)}, ${String(account)}, 2, '${tokenOf('invoices')}', now())`,
        );
      await insert(21, 2);
      await scenario.must('verify');
      expect(await scenario.db.query('select id::int from public.account_api_keys where id in (1, 21)')).to.deep.equal([
        { id: 1 },
      ]);
      await scenario.db.query('delete from public.api_keys where id = 21');
      await insert(22, 1);
      await scenario.must('verify');
      expect(await scenario.authorize(tokenOf('invoices'), RECEIPTS)).to.deep.equal([
        { key_id: '22', account_id: '1', source: 'account' },
      ]);
    } finally {
      await scenario.close();
    }
  });
});

describe('an API that enters or leaves the store', () => {
  for (const until of ['harden', 'verify', 'switch']) {
    it(`takes its keys along at the next migrate, after ${until}`, async () => {
      const scenario = await Scenario.of(SHOP);
      const set = (kind: string, id: number) =>
        scenario.db.query(`update public.apis set kind = $1 where id = $2`, [kind, id]);
      try {
        await scenario.must(`migrate --yes --until ${until}`);
        await set('custom', INVOICES);
        await scenario.must('migrate --yes');
        await scenario.must('verify');
        await scenario.everyPair('all');
        await set('store', OWN);
        await set('store', INVOICES);
        await scenario.must('migrate --yes');
        await scenario.must('verify');
        await scenario.everyPair('all');
        expect(await scenario.authorize(tokenOf('own'), RECEIPTS)).to.have.nested.property('0.source', 'account');
      } finally {
        await scenario.close();
      }
    });
  }
});
