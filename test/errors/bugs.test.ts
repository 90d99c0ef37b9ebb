import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { CommandContext } from '../../src/commands/context.js';
import { operating } from '../../src/commands/operating.js';
import { openMapped } from '../../src/operations/opened.js';
import { startRun } from '../../src/operations/start-run.js';
import { keylift } from '../cli/harness.js';
import { Scenario } from '../support/scenario.js';
import type { Seed } from '../support/seed.js';

/** No token twice: a batch is the first to touch the new table. */
const PLAIN: Seed = {
  accounts: ['acme'],
  apis: { invoices: 'store' },
  keys: [{ account: 'acme', api: 'invoices', name: 'one' }],
};

describe('what keylift did not foresee', () => {
  let scenario: Scenario;
  let logFile: string;
  beforeEach(async () => {
    scenario = await Scenario.of(PLAIN);
    await scenario.must('migrate --yes --until expand');
    logFile = path.join(path.dirname(await scenario.file('marker', '')), 'log.ndjson');
  });
  afterEach(() => scenario.close());

  /** The last line of the log file. */
  const logged = async () => {
    const { message, facts, ...fields } = JSON.parse((await readFile(logFile, 'utf8')).trim().split('\n').at(-1)!) as {
      message: string;
      facts?: object;
    } & Record<string, unknown>;
    return { message, facts: { ...fields, ...facts } as Record<string, unknown> };
  };
  const lastRun = async () =>
    (
      await scenario.db.query<{ run_id: string; exit_code: number }>(
        'select run_id, exit_code from keylift.runs order by started_at desc limit 1',
      )
    )[0]!;

  const breakingRun = async (context: CommandContext): Promise<0> => {
    await startRun(operating(context), await openMapped(context), {
      command: 'migrate',
      work: () => Promise.reject(new TypeError('x is not a function')),
    });
    return 0;
  };

  it('is told as a bug with its run, and its stack is in the log file', async () => {
    const { exitCode, stderr } = await keylift(['migrate', '--log-file', logFile], {
      env: { DATABASE_URL: scenario.db.url },
      run: breakingRun,
    });
    const run = await lastRun();
    expect([exitCode, stderr]).to.deep.equal([
      1,
      `keylift: unexpected error: x is not a function
  this is a bug in keylift or an event that it did not foresee, not a mistake of yours
  run: ${run.run_id}
  stack: in ${logFile}
  Please report it, with the command line, the lines above and the stack.
  see runbook.md#a-bug-of-keylift (code unexpected)
`,
    ]);
    expect(run.exit_code).to.equal(1);
    const { message, facts } = await logged();
    expect(message).to.equal('x is not a function');
    expect(facts).to.include({ code: 'unexpected', exit_code: 1, run_id: run.run_id });
    expect(facts.stack).to.match(/^TypeError: x is not a function\n +at /);
  });

  it('from the server is told with what keylift was doing, the function that said it and the run', async () => {
    await scenario.db.query(`create function public.never() returns trigger language plpgsql as $$
        begin raise 'no: %', new.token using errcode = 'XX000'; end $$;
      create trigger never before insert on public.account_api_keys for each row execute function public.never()`);
    const { exitCode, stderr } = await scenario.run(['migrate', '--yes', '--until', 'backfill', '--log-file', logFile]);
    const run = await lastRun();
    expect([exitCode, run.exit_code], stderr).to.deep.equal([1, 1]);
    expect(stderr.slice(stderr.indexOf('keylift: '))).to
      .equal(`keylift: unexpected error: the database reported: a function raised an exception; keylift withholds its text, which may quote a row
  this is a bug in keylift or an event that it did not foresee, not a mistake of yours
  sqlstate: XX000
  transaction: backfill: copy a batch
  statement: copying a batch
  function: never()
  run: ${run.run_id}
  stack: in ${logFile}
  Please report it, with the command line, the lines above and the stack.
  see runbook.md#a-bug-of-keylift (code database_error)
`);
    const { facts } = await logged();
    expect(facts).to.include({
      code: 'database_error',
      sqlstate: 'XX000',
      transaction: 'backfill: copy a batch',
      statement: 'copying a batch',
      run_id: run.run_id,
    });
    await scenario.assertNoSecrets(await readFile(logFile, 'utf8'));
  });

  it('is not what a mistake is told as', async () => {
    const { exitCode, stderr } = await scenario.run('switch --all --yes');
    expect([exitCode, stderr]).to.deep.equal([
      3,
      'keylift: accounts are switched after the proof has passed, not before\n  stage: expand\n' +
        '  Run keylift migrate --until verify first.\n  see runbook.md#not-verified (code not_verified)\n',
    ]);
  });
});
