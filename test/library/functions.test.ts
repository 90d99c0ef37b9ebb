import { expect } from 'chai';
import * as keylift from '../../src/index.js';
import type { CommonOptions, ProgressEvent } from '../../src/index.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';

const { finalize, KeyliftError, migrate, plan, repair, rollback, status, switchAccounts, verify } = keylift;

/** The error that a function rejects with. */
async function rejection(work: Promise<unknown>): Promise<keylift.KeyliftError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(KeyliftError);
  return error as keylift.KeyliftError;
}

describe('the functions of the package', () => {
  let scenario: Scenario;
  let common: CommonOptions;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    common = { configuration: {}, connection: scenario.url };
  });
  afterEach(() => scenario.close());

  it('are those of the contract, and the class of their errors', () => {
    expect(Object.keys(keylift).sort()).to.deep.equal([
      'KeyliftError',
      'finalize',
      'migrate',
      'plan',
      'repair',
      'rollback',
      'status',
      'switchAccounts',
      'verify',
    ]);
  });

  it('answer with the documents that --json prints', async () => {
    const same = async (answer: Promise<object>, line: string, ...codes: number[]): Promise<void> => {
      const document = (await scenario.must(`${line} --json`, ...codes)).json<Record<string, unknown>>();
      const timeless = (one: Record<string, unknown>) => ({ ...one, seconds: null });
      expect(timeless((await answer) as Record<string, unknown>), line).to.deep.equal(timeless(document));
    };
    await same(plan(common), 'plan', 6);
    await same(plan({ ...common, showSql: true }), 'plan --show-sql', 6);
    await migrate({ ...common, until: 'verify' });
    await same(migrate({ ...common, until: 'verify' }), 'migrate --yes --until verify', 6);
    await same(verify(common), 'verify');
    await same(repair({ ...common, dryRun: true }), 'repair --dry-run');
    await same(switchAccounts({ ...common, cohort: '50%' }), 'switch --cohort 50% --yes');
    await same(switchAccounts({ ...common, all: true }), 'switch --all --yes');
    await same(status(common), 'status');
    await same(finalize(common), 'finalize --yes');
    expect(await rollback(common)).to.include({ rolled_back: true, accounts: null });
    await same(rollback(common), 'rollback --yes');
    expect(await rejection(repair(common))).to.include({ code: 'nothing_migrated', exitCode: 3 });
  });

  it('take the connection in parts, or as pg does', async () => {
    const { hostname, port, username, password } = new URL(scenario.url);
    const parts = { host: hostname, port: Number(port), user: username, password, database: scenario.db.name };
    const answers = [parts, { connectionString: scenario.url }].map((connection) => status({ ...common, connection }));
    for (const answer of await Promise.all(answers)) expect(answer).to.include({ state: 'idle', stage: null });
  });

  it('tell what happens, each event at once', async () => {
    const events: ProgressEvent[] = [];
    await migrate({ ...common, onProgress: (event) => events.push(event) });
    const stages = events.flatMap((event) => (event.kind === 'stage_done' ? [event.stage] : []));
    expect(stages).to.deep.equal(['expand', 'backfill', 'harden', 'verify', 'switch']);
    expect(events.map(({ kind }) => kind)).to.include.members(['run', 'stage', 'batch']);
  });

  it('end between two steps after an AbortSignal, whatever its reason, and resume', async () => {
    await migrate({ ...common, until: 'expand' });
    const gate = await gateAt(scenario.db, 1, { kept: true });
    const caller = new AbortController();
    const run = migrate({ ...common, signal: caller.signal });
    await until('a batch at the gate', async () => {
      const { state } = await status(common);
      return state === 'running' && (await scenario.db.query('select from pg_locks where not granted')).length > 0;
    });
    caller.abort(new TypeError('the service is shutting down'));
    await gate.open();
    const error = await rejection(run);
    expect(error).to.include({ code: 'interrupted', exitCode: 130 });
    expect(error.facts).to.have.property('run_id');
    expect((error.cause as Error).message).to.equal('the service is shutting down');
    await gate.remove();
    const sessions = `select from pg_stat_activity where datname = current_database() and application_name like 'keylift%'`;
    expect(await scenario.db.query(sessions)).to.deep.equal([]);
    expect(await migrate(common)).to.include({ stage: 'switch' });
  });

  it('cancel the statement of a function that only reads', async () => {
    const holder = await scenario.db.connect();
    await holder.query('begin; lock public.api_keys in access exclusive mode');
    const caller = new AbortController();
    const planning = plan({ ...common, signal: caller.signal });
    await until('the plan to wait for the lock', async () => {
      const waiting = `select from pg_stat_activity where application_name = 'keylift' and wait_event_type = 'Lock'
        and datname = current_database()`;
      return (await scenario.db.query(waiting)).length > 0;
    });
    caller.abort();
    expect(await rejection(planning)).to.include({ code: 'interrupted' });
    await holder.query('rollback');
  });

  it('do nothing for a signal that was aborted before', async () => {
    expect(await rejection(migrate({ ...common, signal: AbortSignal.abort() }))).to.include({ code: 'interrupted' });
    expect(await status(common)).to.include({ state: 'idle' });
  });

  it('stop for a callback that throws, and reject with its error', async () => {
    const mine = new RangeError('no more events');
    const onProgress = ({ kind }: ProgressEvent): void => {
      if (kind === 'stage_done') throw mine;
    };
    const error: unknown = await migrate({ ...common, onProgress }).catch((thrown: unknown) => thrown);
    expect(error).to.equal(mine);
    expect(await status(common)).to.include({ stage: 'expand', state: 'idle' });
  });

  it('check the ids of a list', async () => {
    await migrate({ ...common, until: 'verify' });
    const error = await rejection(switchAccounts({ ...common, accounts: [1, '987654321'] }));
    expect(error).to.include({ code: 'list_invalid', exitCode: 2 });
    expect(error.message).to.include('entry 2: no account "987654321"');
    expect((await switchAccounts({ ...common, accounts: [1] })).accounts.switched).to.equal(1);
    expect(await rollback({ ...common, accounts: [1n] })).to.include({ accounts: 1 });
  });

  it('refuse options that they do not know, before they connect', async () => {
    const faulty = { connection: 'postgres://u:hunter22@127.0.0.1:1/none', account: [1], until: 'never' };
    const error = await rejection(rollback(faulty as keylift.RollbackOptions));
    expect(error).to.include({ code: 'option_invalid', exitCode: 2 });
    expect(error.message)
      .to.include('unknown option account, did you mean accounts?')
      .and.include('unknown option until');
    expect((await rejection(migrate({ ...common, concurrency: 0 }))).message).to.include('concurrency must be');
    expect((await rejection(switchAccounts(common))).message).to.include('name the accounts');
    expect((await rejection(switchAccounts({ ...common, cohort: '5' }))).message).to.include('cohort must be');
  });

  it('reject with a fault of the configuration by its key', async () => {
    const configuration = { legacy: { keys: { tabel: 'x' } } } as keylift.Configuration;
    const error = await rejection(plan({ ...common, configuration }));
    expect(error).to.include({ code: 'config_invalid' });
    expect(error.message).to.match(/^the configuration has 1 fault:\n {2}legacy\.keys\.tabel: .*"table"/);
  });

  it('show no password and no row in an error, wherever a log looks', async () => {
    const { inspect } = await import('node:util');
    const connection = 'postgres://someone:hunter22@127.0.0.1:1/none';
    const unreachable = inspect(await rejection(status({ ...common, connection })), { depth: 9 });
    expect(unreachable).to.include('database_unreachable').and.not.include('hunter22');
    await scenario.db.query(`
      create function public.quote() returns trigger language plpgsql as $$ begin
        raise exception using message = 'token ' || new.token, errcode = 'P0001', detail = new.token; end $$`);
    await migrate({ ...common, until: 'expand' });
    await scenario.db.query(`create trigger quote before insert on public.account_api_keys
      for each row execute function public.quote()`);
    await scenario.assertNoSecrets(inspect(await rejection(migrate(common)), { depth: 9 }));
  });
});
