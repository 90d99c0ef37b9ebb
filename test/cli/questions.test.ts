import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { main } from '../../src/cli.js';
import { underLease } from '../../src/run/lease.js';
import { openDatabase } from '../../src/database/connect.js';
import { NEVER } from '../../src/timing.js';
import { Scenario } from '../support/scenario.js';
import type { Seed } from '../support/seed.js';

const SEED: Seed = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store' },
  keys: [
    { account: 'acme', api: 'invoices' },
    { account: 'acme', api: 'receipts' },
    { account: 'bert', api: 'receipts' },
  ],
};

describe('a question', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(SEED);
  });
  afterEach(() => scenario.close());

  /** A command at a terminal of so many columns, where a person types this answer. */
  async function typed(line: string, answer: string, columns = 80): Promise<{ exitCode: number; stderr: string }> {
    const stderr = Object.assign(new PassThrough(), { columns });
    const stdout = Object.assign(new PassThrough(), { columns });
    const stdin = new PassThrough();
    stdin.end(`${answer}\n`);
    const exitCode = await main(line.split(' '), {
      stdout,
      stderr,
      stdin,
      cwd: '/',
      env: { DATABASE_URL: scenario.url, TERM: 'dumb' },
      isTTY: { stdin: true, stdout: true, stderr: true },
      onSignal: () => () => undefined,
    });
    return { exitCode, stderr: (stderr.read() as Buffer | null)?.toString() ?? '' };
  }

  describe('of finalize', () => {
    it('is not asked where finalize would be refused: accounts are not switched', async () => {
      await scenario.must('migrate --yes --until verify');
      const { exitCode, stderr } = await typed('finalize', 'y');
      expect([exitCode, stderr.includes('(code not_switched)'), stderr.includes('[y/N]')]).to.deep.equal([
        3,
        true,
        false,
      ]);
    });

    it('is not asked where rows of another table reference the keys', async () => {
      await scenario.must('migrate --yes');
      await scenario.db.query(
        `create table public.calls (key_id bigint references public.api_keys (id)); insert into public.calls values (1)`,
      );
      const { stderr } = await typed('finalize', 'y');
      expect(stderr).to.include('(code foreign_keys_point)').and.not.include('[y/N]');
    });

    it('is not asked a second time', async () => {
      await scenario.must('migrate --yes');
      expect((await typed('finalize', 'y')).stderr).to.include('Archive the moved per-API rows of');
      expect(await typed('finalize', 'n')).to.include({ exitCode: 0 });
    });

    it('wants the name of the database before a purge; a yes is too little', async () => {
      await scenario.must('migrate --yes');
      expect((await typed('finalize --purge', 'y')).stderr)
        .to.include('(code not_finalized)')
        .and.not.include('type');
      await scenario.must('finalize --yes');
      const yes = await typed('finalize --purge', 'y');
      expect([yes.exitCode, yes.stderr.includes('type the name of the database:')]).to.deep.equal([3, true]);
      expect(yes.stderr.replace(/\s+/g, ' ')).to.include(
        `the answer was not the name "${scenario.db.name}"; nothing was changed`,
      );
      expect((await scenario.must('status --json')).json()).to.include({ stage: 'finalize' });
      expect(await scenario.db.query('select from keylift.archived_keys')).to.have.length(3);
      expect((await typed('finalize --purge', ` ${scenario.db.name} `)).exitCode).to.equal(0);
      expect(await scenario.db.query('select from keylift.archived_keys')).to.have.length(0);
    });
  });

  describe('of rollback', () => {
    it('names accounts, account keys and native keys, and no token', async () => {
      await scenario.must('migrate --yes');
      await scenario.db.query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'made here', 'sécret+native')`,
      );
      const { exitCode, stderr } = await typed('rollback', 'n');
      expect(exitCode).to.equal(3);
      expect(stderr.replace(/\s+/g, ' '))
        .to.include(
          'Every account will be answered by per-API keys again: 3 account keys of 2 accounts will be removed.',
        )
        .and.include('1 native key has no per-API key to return to; kept, still opening the store:')
        .and.match(/key 4 account 1 [0-9a-f]{12} made here/)
        .and.not.include('sécret+');
    });

    it('names the listed accounts, and the native keys of these alone', async () => {
      await scenario.must('migrate --yes');
      await scenario.db.query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'of acme', 't'), (2, 'of bert', 'u')`,
      );
      const { stderr } = await typed(`rollback --accounts ${await scenario.file('a.csv', 'account_id\n2\n')}`, 'n');
      expect(stderr.replace(/\s+/g, ' '))
        .to.include('account 2 bert')
        .and.include('of bert')
        .and.include('1 account key of 1 account')
        .and.not.include('acme');
    });

    it('counts the rows of the archive, and is not asked after a purge', async () => {
      await scenario.must('migrate --yes');
      await scenario.must('finalize --yes');
      expect((await typed('rollback', 'n')).stderr).to.include('3 archived per-API rows will be restored.');
      await scenario.must('finalize --purge --yes');
      expect((await typed('rollback', 'y')).stderr)
        .to.include('(code purged)')
        .and.not.include('[y/N]');
    });
  });

  it('of a second migrate says that it joins the run that leads', async () => {
    await scenario.must('migrate --yes --until expand');
    const opened = await openDatabase(scenario.url);
    const options = { facts: { command: 'migrate', version: '0.0.0' }, stop: NEVER, onEntered: () => undefined };
    await underLease(opened, options, async () => {
      const { stderr } = await typed('migrate', 'n');
      expect(stderr.replace(/\s+/g, ' '))
        .to.include(`Another run is active: migrate on`)
        .and.include(`process ${String(process.pid)}. This run joins it`);
      return { exitCode: 0, result: undefined };
    }).finally(() => opened.close());
    expect((await typed('migrate', 'n')).stderr)
      .to.include('it continues after expand')
      .and.not.include('This run joins it');
  });

  it('and an error are broken at the width of the terminal, between words', async () => {
    for (const columns of [40, 60, 100]) {
      const { stderr } = await typed('migrate --until verify', 'n', columns);
      const wide = stderr.split(/\n|\[y\/N\] /).filter((line) => line.length > columns && line.trim().includes(' '));
      expect(wide, String(columns)).to.deep.equal([]);
      expect(stderr.replace(/\s+/g, ' '))
        .to.include('the answer was not yes; nothing was changed')
        .and.include('(code not_confirmed)');
    }
  });
});
