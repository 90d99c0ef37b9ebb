import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { useTestDatabase } from '../support/database.js';
import { rolesOf } from '../docs/roles.js';
import { refused } from './unchanged.js';

/** The runbook's three roles, as it makes them, doing what it says they can and being kept from the rest. */
describe('roles of the runbook', () => {
  const database = useTestDatabase({ each: true });
  const roles = rolesOf(database);

  beforeEach(async () => {
    await database().query(`
      insert into public.accounts (id, kind, name) values (1, 'user', 'Ada');
      insert into public.apis (id, slug, name, kind) values (1, 'invoices', 'Invoices', 'store'), (2, 'passport',
        'Passport', 'store');
      insert into public.api_keys (account_id, api_id, name, token) values (1, 1, 'one', 'token-1')`);
    await roles.make('planner');
    await roles.make('operator');
  });

  it('planner: plan and nothing else, before and during a migration', async () => {
    const plan = () => keylift('plan', { env: { DATABASE_URL: roles.url('planner') } });
    expect(await plan()).to.include({ exitCode: 0, stderr: '' });
    expect(
      (await refused(database(), 'migrate --yes', { env: { DATABASE_URL: roles.url('planner') } })).exitCode,
    ).to.equal(3);
    expect((await keylift('migrate --yes', { env: { DATABASE_URL: database().url } })).exitCode).to.equal(0);
    expect(await plan(), 'plan while a ledger it may not read is there').to.include({ exitCode: 0, stderr: '' });
    expect(
      (await refused(database(), 'rollback --yes', { env: { DATABASE_URL: roles.url('planner') } })).exitCode,
    ).to.equal(3);
  });

  it('operator: the whole way and back, twice, without being a superuser', async () => {
    const env = { DATABASE_URL: roles.url('operator') };
    for (const line of [
      'migrate --until verify --yes',
      'switch --cohort 100% --yes',
      'verify',
      'status',
      'finalize --yes',
      'rollback --yes',
      'migrate --yes',
      'rollback --yes',
    ]) {
      const { exitCode, stderr } = await keylift(line, { env });
      expect([line, exitCode], stderr).to.deep.equal([line, 0]);
    }
  });

  it('a platform that may write its own table alone goes on doing so', async () => {
    await roles.make('platform');
    expect((await keylift('migrate --yes', { env: { DATABASE_URL: roles.url('operator') } })).exitCode).to.equal(0);
    await roles.query(
      'platform',
      `insert into public.api_keys (account_id, api_id, token) values (1, 2, 'token-2');
        update public.api_keys set revoked_at = now() where id = 1`,
    );
    expect(
      await database().query('select token, revoked_at is null as alive from public.account_api_keys order by token'),
    ).to.deep.equal([
      { token: 'token-1', alive: false },
      { token: 'token-2', alive: true },
    ]);
  });

  it('gateway: asks authorize and the view, reads nothing else', async () => {
    expect((await keylift('migrate --yes', { env: { DATABASE_URL: roles.url('operator') } })).exitCode).to.equal(0);
    await roles.make('gateway');
    expect(await roles.query('gateway', `select source from keylift.authorize('token-1', 2)`)).to.deep.equal([
      { source: 'account' },
    ]);
    expect(
      await roles.query('gateway', `select name from keylift.per_api_keys where token = 'token-1' and api_id = 2`),
    ).to.deep.equal([{ name: 'one' }]);
    for (const table of ['public.api_keys', 'public.account_api_keys', 'keylift.events', 'keylift.outcomes']) {
      expect(
        await roles
          .query('gateway', `select from ${table}`)
          .catch((error: unknown) => (error as { code: string }).code),
        table,
      ).to.equal('42501');
    }
    expect((await keylift('rollback --yes', { env: { DATABASE_URL: roles.url('operator') } })).exitCode).to.equal(0);
    expect(
      await roles.query('gateway', `select source from keylift.authorize('token-1', 1)`),
      'its rights outlive a rollback',
    ).to.deep.equal([{ source: 'per_api' }]);
  });
});
