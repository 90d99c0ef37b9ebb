import { expect } from 'chai';
import { schemaOf } from '../schemas/answers.js';
import { Scenario } from '../support/scenario.js';
import type { Seed } from '../support/seed.js';
import { keylift, type Outcome } from './harness.js';

interface ErrorDocument {
  error: { code: string; message: string; hint: string; facts: Record<string, unknown>; exit_code: number };
}

/** The error document of a command that must fail, held against its schema and against stderr. */
function errorOf({ exitCode, stdout, stderr }: Outcome): ErrorDocument['error'] {
  const document = JSON.parse(stdout) as ErrorDocument;
  const validate = schemaOf('error');
  expect(validate(document), JSON.stringify(validate.errors)).to.equal(true);
  expect(document.error.exit_code).to.equal(exitCode);
  expect(stderr).to.include(`(code ${document.error.code})`).and.include(`  ${document.error.hint}\n`);
  return document.error;
}

/** No token occurs twice, so the first batch is the first to write to the new table. */
const SEED: Seed = {
  accounts: ['acme'],
  apis: { invoices: 'store', receipts: 'store' },
  keys: [
    { account: 'acme', api: 'invoices', name: 'one' },
    { account: 'acme', api: 'receipts', name: 'two' },
  ],
};

describe('an error with --json', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.of(SEED);
  });
  after(() => scenario.close());

  describe('of a command that fails: ', () => {
    let own: Scenario;
    beforeEach(async () => {
      own = await scenario.copy();
    });
    afterEach(() => own.close());

    it('exit 1, a bug, with its run', async () => {
      await own.must('migrate --yes --until expand');
      await own.db.query(`create function public.never() returns trigger language plpgsql as $$
          begin raise 'no' using errcode = 'XX000'; end $$;
        create trigger never before insert on public.account_api_keys for each row execute function public.never()`);
      const error = errorOf(await own.run('migrate --yes --until backfill --json'));
      const [run] = await own.db.query<{ run_id: string }>(
        'select run_id from keylift.runs order by started_at desc limit 1',
      );
      expect(error).to.include({ code: 'database_error', exit_code: 1 });
      expect(error.facts).to.include({ sqlstate: 'XX000', statement: 'copying a batch', run_id: run!.run_id });
    });

    it('exit 2, a configuration with faults', async () => {
      const config = await own.file('shop.json', '{ "legacy": { "keys": { "token": "secret" } } }');
      const error = errorOf(await own.run(`plan --json --config ${config}`));
      expect(error).to.include({ code: 'mapping_missing', exit_code: 2 });
      expect(error.message).to.include('legacy.keys.token: no column "secret"');
    });

    it('exit 3, a refusal, with its facts', async () => {
      await own.must('migrate --yes --until expand');
      const error = errorOf(await own.run('switch --all --yes --json'));
      expect(error).to.include({ code: 'not_verified', exit_code: 3 });
      expect(error.facts).to.include({ stage: 'expand' });
    });

    it('exit 4, a proof that fails', async () => {
      await own.must('migrate --yes --until harden');
      await own.db.query(
        `begin; select set_config('keylift.writer', keylift.own_write('stage', 1), true); update public.account_api_keys set name = 'other'; commit`,
      );
      const error = errorOf(await own.run('migrate --yes --json'));
      expect(error).to.include({ code: 'proof_failed', exit_code: 4 });
      expect(error.facts).to.include({ different: 2 });
    });

    it('exit 5, a server that does not listen, without the password', async () => {
      const outcome = await own.run('status --json', { url: 'postgres://ann:hunter2@127.0.0.1:1/shop' });
      const error = errorOf(outcome);
      expect(error).to.include({ code: 'database_unreachable', exit_code: 5 });
      expect(error.facts).to.include({ host: '127.0.0.1', port: 1, network: 'ECONNREFUSED' });
      expect(outcome.stdout).not.to.include('hunter2');
    });

    it('exit 130, a command that was stopped', async () => {
      const running = own.start('migrate --yes --json');
      running.signal();
      expect(errorOf(await running.ended)).to.include({ code: 'interrupted', exit_code: 130 });
    });
  });

  it('exit 2, a command line that is wrong', async () => {
    const error = errorOf(await keylift('migrate --json --untl verify'));
    expect(error).to.deep.include({ code: 'usage', exit_code: 2, hint: 'See keylift migrate --help.' });
    expect(error.message).to.include('unknown flag --untl, did you mean --until?');
  });

  it('does not repeat a password that a wrong flag has', async () => {
    const { stdout } = await keylift('plan --json --databse-url postgres://ann:hunter2@h/d');
    expect(stdout).to.include('did you mean --database-url?').and.not.include('hunter2');
  });

  it('masks secrets and shows what a terminal would obey, and stays JSON', async () => {
    const outcome = await keylift('plan --json', {
      env: { DATABASE_URL: 'postgres://ann:hunter2@127.0.0.1:1/shop' },
      run: () => Promise.reject(new Error('\u001b[2J"hunter2"')),
    });
    expect(errorOf(outcome).message).to.equal('\u001b[2J"***"');
    expect(outcome.stdout).to.include('\\u001b[2J');
  });

  it('is not printed behind an answer: stdout is one document', async () => {
    const { exitCode, stdout } = await keylift('plan --json', {
      env: { DATABASE_URL: 'postgres://ann@h/d' },
      run: (context) => {
        context.printAnswer({ total: 3 });
        return Promise.reject(new Error('too late'));
      },
    });
    expect([exitCode, JSON.parse(stdout)]).to.deep.equal([1, { total: 3 }]);
  });

  it('leaves stdout empty without --json', async () => {
    expect(await keylift('migrate --untl verify')).to.include({ exitCode: 2, stdout: '' });
  });
});
