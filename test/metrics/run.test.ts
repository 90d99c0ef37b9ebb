import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { MOTLEY } from '../support/motley.js';
import { until } from '../support/waiting.js';
import { readOpenMetrics, type Read } from './grammar.js';

describe('--metrics-file', () => {
  let scenario: Scenario;
  let file: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    file = await scenario.file('keylift.prom', '');
  });
  afterEach(() => scenario.close());

  /** The file's families, by name; each sample by its own labels. */
  const metrics = async (): Promise<Map<string, Read>> => {
    const text = await readFile(file, 'utf8');
    await scenario.assertNoSecrets(text);
    return readOpenMetrics(text);
  };
  const value = (families: Map<string, Read>, name: string, labels = ''): number | undefined =>
    families.get(`keylift_${name}`)?.samples.get(`database="${scenario.db.name}"${labels === '' ? '' : `,${labels}`}`);
  const holding = (families: Map<string, Read>, name: string): string[] =>
    [...(families.get(`keylift_${name}`)?.samples ?? [])]
      .filter(([, held]) => held === 1)
      .map(([labels]) => /="([^"]*)"$/.exec(labels)![1]!);

  it("says at a migration's end what status, plan and proof say", async () => {
    await scenario.must(`migrate --yes --metrics-file ${file}`, 6);
    const { outcomes, total } = (await scenario.must('plan --json', 6)).json<{
      outcomes: Record<string, number>;
      total: number;
    }>();
    const proof = (await scenario.must('verify --json')).json<{
      keys: Record<string, number>;
      authorization: Record<string, number>;
    }>();
    const read = await metrics();
    expect(value(read, 'up')).to.equal(1);
    expect(holding(read, 'state')).to.deep.equal(['done']);
    expect(holding(read, 'stage_done')).to.deep.equal(['expand', 'backfill', 'harden', 'verify', 'switch']);
    expect(holding(read, 'switched')).to.deep.equal(['all']);
    for (const [outcome, keys] of Object.entries(outcomes))
      expect(value(read, 'outcome_keys', `outcome="${outcome}"`), outcome).to.equal(keys);
    expect(value(read, 'per_api_keys')).to.equal(total);
    expect(value(read, 'looked_at_keys')).to.equal(total);
    expect(value(read, 'proof_ok')).to.equal(1);
    for (const [counter, keys] of Object.entries(proof.keys))
      expect(value(read, 'proof_keys', `counter="${counter}"`), counter).to.equal(keys);
    for (const [counter, pairs] of Object.entries(proof.authorization))
      expect(value(read, 'proof_authorization', `counter="${counter}"`), counter).to.equal(pairs);
    expect(value(read, 'last_exit_code')).to.equal(6);
    expect(value(read, 'runs')).to.equal(0);
    expect(read.has('keylift_lease_seconds'), 'nobody leads').to.equal(false);
  });

  it('says while a run is on who leads and what it waits for, and at Ctrl-C that it ended', async () => {
    await scenario.must('migrate --yes --until expand');
    await scenario.must('pause');
    const migration = scenario.start(`migrate --yes --metrics-file ${file}`);
    await until('the file to say that it is paused', async () => {
      const text = await readFile(file, 'utf8');
      return text.includes('kind="paused"} 1');
    });
    const during = await metrics();
    expect(holding(during, 'state')).to.deep.equal(['paused']);
    expect(value(during, 'runs')).to.equal(1);
    expect(value(during, 'lease_seconds')).to.be.greaterThan(0).and.at.most(20);
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    const after = await metrics();
    expect(value(after, 'last_exit_code')).to.equal(130);
    expect(value(after, 'runs')).to.equal(0);
    expect(value(after, 'waits', 'kind="paused"')).to.equal(1);
    expect(value(after, 'waited_seconds', 'kind="paused"')).to.be.greaterThan(0);
    expect(after.get('keylift_waited_seconds')).to.include({ type: 'counter', unit: 'seconds' });
  });

  it('says so when batches failed', async () => {
    await scenario.must('migrate --yes --until expand');
    await scenario.db.query(`
      create function public.test_poison() returns trigger language plpgsql as $$
      begin raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled'; end $$;
      create trigger aa_test_poison before insert on public.account_api_keys for each row when (new.id = 1)
        execute function public.test_poison()`);
    await scenario.must(`migrate --yes --metrics-file ${file}`, 5);
    const read = await metrics();
    expect(value(read, 'batches', 'state="failed"')).to.be.greaterThan(0);
    expect(value(read, 'last_exit_code')).to.equal(5);
  });

  it('goes with switch, rollback and finalize', async () => {
    await scenario.must('migrate --yes --until verify', 6);
    await scenario.must(`switch --all --yes --metrics-file ${file}`);
    expect(holding(await metrics(), 'switched')).to.deep.equal(['all']);
    await scenario.must(`finalize --yes --metrics-file ${file}`);
    expect(holding(await metrics(), 'stage_done')).to.include('finalize');
    await scenario.must(`rollback --yes --metrics-file ${file}`);
    expect(holding(await metrics(), 'state')).to.deep.equal(['rolled_back']);
  });

  it('is refused in a place that takes no file, before anything is written', async () => {
    const { stderr } = await scenario.must('migrate --yes --metrics-file /no/such/folder/keylift.prom', 2);
    expect(stderr).to.include(
      'the metrics file /no/such/folder/keylift.prom cannot be written: its folder does not exist (ENOENT)',
    );
    expect(await scenario.batchesDone()).to.equal(0);
  });
});
