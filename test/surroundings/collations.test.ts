import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';

/** Ids are texts that a collation takes for equal whatever their case. */
const TABLES = `
  create collation public.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create table public.accounts (id text collate public.caseless primary key, kind text not null default 'user',
    name text, created_at timestamptz default now());
  create table public.apis (id text collate public.caseless primary key, owner_account_id text, slug text not null,
    name text, kind text not null);
  create table public.api_keys (id text collate public.caseless primary key default gen_random_uuid()::text,
    account_id text collate public.caseless,
    api_id text collate public.caseless, name text, token text, created_at timestamptz default now(),
      last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz);
  create index api_keys_token on public.api_keys (token);
  insert into public.accounts (id, name) values ('Acme', 'Acme'), ('bert', 'Bert');
  insert into public.apis (id, slug, kind) values ('Invoices', 'invoices', 'store'), ('receipts', 'receipts', 'store'),
    ('forms', 'forms', 'custom');
  insert into public.api_keys (id, account_id, api_id, name, token) values
    ('Key-A', 'acme', 'INVOICES', 'one', 'token one'), ('key-b', 'BERT', 'receipts', 'two', 'token two'),
    ('key-c', 'Acme', 'Forms', 'three', 'token three'), ('KEY-D', 'acme', 'receipts', 'four', 'token two and two'),
    ('key-e', 'ACME', 'invoices', 'five', 'token two and two')`;

describe('ids of a nondeterministic collation', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open({ schema: 'none' });
    await scenario.db.query(TABLES);
  });
  after(() => scenario.close());

  it('are migrated, followed, proven, finalized and rolled back with their spelling', async () => {
    const before = await scenario.legacyDigest();
    await scenario.must('check');
    await scenario.must('migrate --yes');
    await scenario.must('verify');
    const list = await scenario.file('accounts.csv', 'account_id\nACME\n');
    await scenario.must(`switch --accounts ${list} --back --yes`);
    await scenario.must(`switch --accounts ${list} --yes`);
    await scenario.must('explain key-a');
    await scenario.db.query(`update public.account_api_keys set name = 'renamed' where id = 'KEY-A'`);
    const [row] = await scenario.db.query<{ id: string; name: string }>(
      `update public.api_keys set expires_at = now() + interval '1 hour' where id = 'key-a' returning id, name`,
    );
    expect(row).to.deep.equal({ id: 'Key-A', name: 'renamed' });
    await scenario.must('verify');
    await scenario.must('finalize --yes');
    await scenario.must('rollback --yes');
    await scenario.db.query(`update public.api_keys set name = 'one', expires_at = null where id = 'key-a'`);
    expect(await scenario.legacyDigest()).to.equal(before);
  });
});
