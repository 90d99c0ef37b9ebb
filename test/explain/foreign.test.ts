import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import type { Explanation } from '../../src/explain/document.js';

const SETTINGS = {
  legacy: {
    keys: {
      table: 'app."ApiKey"', id: 'Id', token: 'Digest', name: null, createdAt: 'createdAt', lastUsedAt: null, revokedAt: null, expiresAt: 'expiresAt',
      api: 'serviceId', account: { sql: '(select e."ownerId" from app."Environment" e where e.id = k."environmentId")' }, carry: ['prefix'], where: { sql: 'k.prefix is not null' },
    },
    apis: { table: 'app."Service"', id: 'Id', slug: 'slug', inStore: 'public' },
    accounts: { table: 'app."Owner"', id: 'Id', name: null },
  },
  target: { table: 'app."AccountKey"' },
};

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe('explain, notice and rehearsal on another schema', () => {
  let scenario: Scenario;
  let config: string;
  before(async () => {
    scenario = await Scenario.open({ schema: 'none' });
    config = await scenario.file('keylift.config.json', JSON.stringify(SETTINGS));
    await scenario.db.query(`
      create schema app;
      create table app."Owner" ("Id" text primary key);
      create table app."Environment" (id int primary key, "ownerId" text not null);
      create table app."Service" ("Id" int primary key, slug varchar(40) not null, public boolean);
      create table app."ApiKey" ("Id" uuid primary key, "Digest" bytea, "createdAt" timestamp(3) not null default now(), "expiresAt" timestamp(3),
        "serviceId" int not null, "environmentId" int not null, prefix text);
      insert into app."Owner" values ('own-é');
      insert into app."Environment" values (1, 'own-é'), (2, 'own-é');
      insert into app."Service" values (1, 'ocr', true), (2, 'invoices', true), (3, 'mine', false);
      insert into app."ApiKey" values
        ('${id(1)}', sha256('one'), '2021-01-01 00:00:00.123', null, 1, 1, 'a'), ('${id(2)}', sha256('two'), '2021-01-02', null, 3, 1, 'b'),
        ('${id(3)}', sha256('twins'), '2021-01-03', null, 1, 1, 'c'), ('${id(4)}', sha256('twins'), '2021-01-04', null, 2, 2, 'd'),
        ('${id(5)}', sha256('no prefix'), '2021-01-05', null, 1, 1, null)`);
  });
  after(() => scenario.close());

  const explained = async (word: string): Promise<Explanation> => (await scenario.must(`explain ${word} --json --config ${config}`)).json<Explanation>();

  it('rehearses and writes the notice', async () => {
    const notice = path.join(path.dirname(config), 'notice.csv');
    const plan = (await scenario.must(`plan --json --rehearse --notice ${notice} --config ${config}`)).json<{ rehearsal: Record<string, number> }>();
    expect(plan.rehearsal).to.include({ rows: 4, moved: 3 });
    expect(await readFile(notice, 'utf8')).to.equal(`account_id,account,key_id,key_name,opens_before,opens_after
own-é,,${id(1)},,ocr,invoices ocr
own-é,,${id(3)},,invoices ocr,invoices ocr
`);
  });

  for (const command of ['plan', 'migrate --yes', 'finalize --yes', 'finalize --purge --yes']) {
    it(`explains after ${command}`, async () => {
      await scenario.must(`${command} --config ${config}`);
      const { keys: [one] } = await explained(id(1));
      expect([one!.outcome, one!.account_id, one!.opens.before, one!.opens.after]).to.deep.equal(['move', 'own-é', ['ocr'], ['invoices', 'ocr']]);
      expect((await explained(one!.fingerprint!)).keys.map((key) => key.key_id)).to.deep.equal([id(1)]);
      expect((await explained(id(4))).keys[0]).to.include({ outcome: 'merge' });
      expect((await explained(id(2))).keys[0]!.opens).to.deep.include({ before: ['mine'], after: ['mine'] });
      const outside = await scenario.run(`explain ${id(5)} --config ${config}`);
      expect(outside.exitCode).to.equal(2);
      expect(outside.stderr).to.include('legacy.keys.where');
    });
  }
});
