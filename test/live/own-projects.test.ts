import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import Papa from 'papaparse';
import type { ReportFacts } from '../../src/report/facts/document.js';
import type { Plan } from '../../src/plan/plan.js';
import type { Proof } from '../../src/proof/document.js';
import { schemaAt } from '../report/schema.js';
import { assertInvariants } from '../support/invariants.js';
import { OWN_APIS, PROJECTS, PROJECTS_HOLDS } from '../support/projects.js';
import { judge, predictedGain, type Switched } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { assertOutcomes } from './sound.js';

/** Invariants that speak of one store for all. */
const OF_ONE_STORE = ['a source row is accounted for once', 'no key of a custom API is an account key'];

describe("keys of projects that open all projects of their organization, and no others'", () => {
  let scenario: Scenario;
  let holds: string;
  beforeEach(async () => {
    scenario = await Scenario.of(PROJECTS, { holds: PROJECTS_HOLDS, ownApis: true });
    holds = await scenario.file('holds.csv', PROJECTS_HOLDS.csv);
  });
  afterEach(() => scenario.close());

  const proof = async (...codes: number[]): Promise<Proof> =>
    (await scenario.must('verify --json', ...codes)).json<Proof>();

  /** The proof passes and says what brute force says; every outcome and every answer is the model's. */
  const assertSound = async (switched: Switched): Promise<void> => {
    const gain = predictedGain(await scenario.world(), scenario.held);
    expect(await proof(0)).to.deep.include({
      ok: true,
      differences: [],
      authorization: {
        lost: 0,
        gained_store: gain,
        predicted_gained_store: gain,
        gained_custom: 0,
        gained_foreign: 0,
        revived: 0,
      },
    });
    await assertInvariants(scenario.db, { except: OF_ONE_STORE });
    await assertOutcomes(scenario);
    await scenario.everyPair(switched);
    await scenario.everyView(switched);
  };

  const migrated = (until = 'switch'): Promise<unknown> =>
    scenario.must(`migrate --yes --holds ${holds} --until ${until}`, until === 'expand' ? 0 : 6);

  it('plan counts them, and its lists say what each opens', async () => {
    const judged = judge(await scenario.world(), PROJECTS_HOLDS);
    const notice = path.join(path.dirname(holds), 'notice.csv');
    const keys = path.join(path.dirname(holds), 'keys.csv');
    const plan = (await scenario.must(`plan --json --holds ${holds} --notice ${notice} --keys ${keys}`, 6)).json<
      Plan & { notice: unknown }
    >();
    const count = (outcome: string): number => [...judged.values()].filter((each) => each.outcome === outcome).length;
    expect(plan.outcomes).to.deep.equal({
      move: count('move'),
      stay: count('stay'),
      merge: count('merge'),
      hold: count('hold'),
      exception: count('exception'),
    });
    expect(plan.widening).to.deep.include({ store_apis: 9, most_apis: 3 });
    const rows = async (file: string) =>
      Papa.parse<Record<string, string>>(await readFile(file, 'utf8'), { header: true, skipEmptyLines: true }).data;
    const noticed = await rows(notice);
    expect(plan.notice).to.deep.equal({ file: notice, keys: plan.widening.keys, store_apis: null });
    expect(noticed.find(({ key_id: id }) => id === '1')).to.deep.include({
      opens_before: 'acme-1',
      opens_after: 'every API of the account',
      apis_before: '1',
      apis_after: '3',
    });
    expect(noticed.find(({ key_id: id }) => id === '21')).to.deep.include({ opens_before: 'acme-1 acme-2' });
    const listed = await rows(keys);
    expect(listed.find(({ key_id: id }) => id === '10')).to.deep.include({ outcome: 'stay', apis_after: '1' });
    expect(listed.find(({ key_id: id }) => id === '6')).to.deep.include({ outcome: 'move', apis_after: '1' });
    const text = (await scenario.must(`plan --holds ${holds}`, 6)).stdout.replace(/\s+/g, ' ');
    expect(text).to.match(/will open every API of their own account \(3 at most, 9 in all\)/);
  });

  it('every stage answers as the model does, forth, back and forth again', async () => {
    for (const stage of ['expand', 'backfill', 'harden', 'verify'] as const) {
      await migrated(stage);
      if (stage !== 'backfill') await scenario.everyPair('none');
      await scenario.everyView('none');
    }
    await assertSound('none');
    const some = await scenario.file('some.csv', 'account_id\n1\n');
    await scenario.must(`switch --yes --accounts ${some}`);
    await assertSound(new Set(['1']));
    await scenario.must(`switch --yes --back --accounts ${some}`);
    await assertSound('none');
    await migrated();
    await assertSound('all');
    await scenario.must('rollback --yes');
    await scenario.everyPair('none');
    await scenario.everyView('none');
    await migrated();
    await scenario.must('finalize --yes');
    expect((await proof(0)).ok).to.equal(true);
    await scenario.must('rollback --yes');
    await scenario.everyPair('none');
    await migrated();
    await assertSound('all');
  });

  it('follows projects that come, move and go, and keys that change', async () => {
    await migrated();
    const { db } = scenario;
    await db.query(`insert into public.apis (id, owner_account_id, slug, name, kind)
      values (100, 1, 'acme-4', 'acme-4', 'custom')`);
    expect(await scenario.authorize(tokenOf(1), 100)).to.have.length(1);
    expect(await scenario.authorize(tokenOf(4), 100)).to.deep.equal([]);
    await assertSound('all');
    // A key in a new project of its organization, in another's, and one that changes its project.
    await db.query(`insert into public.api_keys (id, account_id, api_id, token, created_at)
      values (200, 1, 100, 'sécret+new', '2023-01-01'), (201, 2, 100, 'sécret+guest', '2023-01-01')`);
    await db.query('update public.api_keys set api_id = 4 where id = 10');
    await db.query('update public.api_keys set api_id = 4 where id = 1');
    await db.query('update public.api_keys set revoked_at = now() where id = 2');
    await db.query(
      `insert into public.account_api_keys (account_id, name, token) values (2, 'native', 'sécret+native')`,
    );
    await assertSound('all');
    // A project goes to another organization: its keys stay behind as per-API keys.
    await db.query('update public.apis set owner_account_id = 2 where id = 2');
    await scenario.must('verify', 4);
    await migrated();
    await assertSound('all');
    await db.query('update public.apis set owner_account_id = 1 where id = 2');
    await migrated();
    await assertSound('all');
    await scenario.must('rollback --yes');
    await scenario.everyPair('none');
  });

  it('a key whose account is that of its project opens it, also while the project has gone to another account', async () => {
    const { db } = scenario;
    const config = await scenario.file(
      'by-project.json',
      JSON.stringify({ legacy: { ...OWN_APIS.legacy, keys: { account: { sql: 'a.owner_account_id' } } } }),
    );
    const opened = async (): Promise<string[]> =>
      (
        await db.query<{ pair: string }>(
          `select a.slug || ' ' || f.source as pair from public.apis a
            cross join lateral keylift.authorize($1, a.id) f order by 1`,
          [tokenOf(1)],
        )
      ).map(({ pair }) => pair);
    await scenario.must(`migrate --yes --config ${config}`, 6);
    expect(await opened()).to.deep.equal(['acme-1 account', 'acme-2 account', 'acme-3 account']);
    await db.query('update public.apis set owner_account_id = 2 where id = 1');
    expect(await opened()).to.deep.equal(['acme-1 per_api', 'acme-2 account', 'acme-3 account']);
    const found = (await scenario.must(`verify --json --config ${config}`, 4)).json<Proof>();
    expect([found.keys.different > 0, found.authorization.lost]).to.deep.equal([true, 0]);
    await scenario.must(`migrate --yes --config ${config}`, 6);
    expect(await opened()).to.deep.equal(['acme-1 account', 'bert-1 account', 'bert-2 account']);
    await scenario.must(`verify --config ${config}`);
  });

  it('verify tells a key of another organization, and an API of another organization that opens', async () => {
    await migrated();
    await scenario.db.query(`
      create or replace function public.harm() returns void language plpgsql as $$
      declare body text := pg_get_functiondef('keylift.authorize'::regproc);
      begin execute replace(body, 'a.owner_account_id = o.id', 'a.owner_account_id is not null'); end $$;
      select public.harm()`);
    const { ok, authorization, differences, mirror } = await proof(4);
    expect([ok, mirror.ok]).to.deep.equal([false, false]);
    expect(authorization.gained_foreign).to.be.greaterThan(0);
    expect([authorization.gained_custom, authorization.lost]).to.deep.equal([0, 0]);
    expect(differences.some(({ kind, api_id: api }) => kind === 'gained_foreign' && api !== undefined)).to.equal(true);
    await scenario.must('repair --yes');
    await assertSound('all');
  });

  it('the report says how many of its own each opens', async () => {
    await migrated();
    const file = await scenario.file('report.html', '');
    const report = (await scenario.must(`report ${file} --json`)).json<ReportFacts>();
    expect(schemaAt('report')(report)).to.equal(true);
    const judged = judge(await scenario.world(), PROJECTS_HOLDS);
    const living = (await scenario.world()).keys.filter(({ id, alive }) => alive && judged.get(id)!.outcome === 'move');
    const of = (...accounts: string[]): number => living.filter(({ account }) => accounts.includes(account!)).length;
    expect(report.own_apis).to.deep.equal([
      { apis: 3, accounts: 1, keys: of('1') },
      { apis: 2, accounts: 1, keys: of('2') },
      { apis: 1, accounts: 1, keys: of('3') },
    ]);
    expect([report.store_apis, report.apis.map(({ origin }) => origin)]).to.deep.equal([
      [],
      ['store', 'custom', 'missing'],
    ]);
    const page = await readFile(file, 'utf8');
    expect(page)
      .to.include('3 of 3 of its own')
      .and.include('1 of 1 of its own')
      .and.include('own APIs of the account');
  });

  it('explain and replay speak of the APIs of the account', async () => {
    const lines = (await scenario.world()).keys
      .filter(({ id }) => ['1', '4', '10'].includes(id))
      .flatMap(({ id }) =>
        ['acme-1', 'acme-3', 'bert-1', 'cleo-1'].map((api) => {
          const opened = { '1': 'acme-1', '4': 'bert-1', '10': 'acme-1' }[id] === api;
          return JSON.stringify({ key_id: id, api, allowed: opened });
        }),
      );
    const file = await scenario.file('decisions.ndjson', `${lines.join('\n')}\n`);
    const replayed = async () => {
      const { replay } = (await scenario.must(`verify --replay ${file} --json`)).json<{
        replay: { same: number; unexplained: number; kinds: { kind: string; decisions: number }[] };
      }>();
      return [
        replay.same,
        replay.unexplained,
        replay.kinds.map(({ kind, decisions }) => `${kind} ${String(decisions)}`),
      ];
    };
    expect(await replayed()).to.deep.equal([11, 0, ['widened 1']]);
    const explained = async (id: string) =>
      (await scenario.must(`explain ${id} --json`)).json<{
        keys: { opens: { before: string[]; after: string[]; now: string[] | null } }[];
      }>().keys[0]!.opens;
    expect(await explained('1')).to.deep.equal({
      before: ['acme-1'],
      after: ['acme-1', 'acme-2', 'acme-3'],
      now: null,
    });
    await migrated();
    expect(await explained('1')).to.deep.equal({
      before: ['acme-1'],
      after: ['acme-1', 'acme-2', 'acme-3'],
      now: ['acme-1', 'acme-2', 'acme-3'],
    });
    expect(await explained('10')).to.deep.equal({ before: ['acme-1'], after: ['acme-1'], now: ['acme-1'] });
    expect(await replayed()).to.deep.equal([11, 0, ['widened 1']]);
  });
});
