import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { faultsOfStructure } from '../../src/config/structure.js';
import { version } from '../../src/config/package-root.js';
import type { Drift } from '../../src/plan/saved/drift.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { createReader } from '../support/reader.js';
import { Scenario, type Ended } from '../support/scenario.js';
import { plantMany, TOKEN_MARK } from '../support/seed.js';
import { schemaOf } from '../schemas/answers.js';

interface Failure {
  error: {
    code: string;
    message: string;
    hint: string;
    exit_code: number;
    facts: { drift: Drift[] } & Record<string, unknown>;
  };
}
type Saved = Record<string, unknown> & { plan: Record<string, unknown>; holds: Record<string, unknown> };

describe('a saved plan', () => {
  let scenario: Scenario;
  let file: string;
  let config: string;

  async function opened(of: Promise<Scenario>): Promise<void> {
    scenario = await of;
    file = path.join(path.dirname(await scenario.file('holds.csv', MOTLEY_HOLDS.csv)), 'plan.json');
    config = await scenario.file('other.json', JSON.stringify({ legacy: { keys: { carry: [], timeZone: 'UTC' } } }));
  }
  const saved = async (): Promise<Saved> => JSON.parse(await readFile(file, 'utf8')) as Saved;
  const change = async (by: (plan: Saved) => unknown): Promise<void> => {
    const plan = await saved();
    by(plan);
    await writeFile(file, JSON.stringify(plan));
  };
  const nothingInstalled = async (): Promise<void> => {
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.have.length(0);
  };

  /** The error of a command that was refused before it wrote anything. */
  async function refused(line: string, exit = 3): Promise<Failure['error']> {
    const ended: Ended = await scenario.run(`${line} --json`);
    expect(ended.exitCode, ended.stderr).to.equal(exit);
    const document = ended.json<Failure & Record<string, unknown>>();
    const validate = schemaOf('error');
    expect(validate(document), JSON.stringify(validate.errors)).to.equal(true);
    await nothingInstalled();
    return document.error;
  }

  afterEach(() => scenario.close());

  describe('of keys with every outcome', () => {
    beforeEach(() => opened(Scenario.of(MOTLEY)));

    it('is readable by its owner alone, follows its schema, and has no ids, names or tokens', async () => {
      const plan = (await scenario.must(`plan --out ${file} --json`, 6)).json<Saved>();
      expect(plan.saved).to.deep.equal({ file });
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      const document = await saved();
      expect(faultsOfStructure(document, 'saved-plan.schema.json')).to.deep.equal([]);
      const { outcomes, exceptions_by_reason: byReason, widening, total } = plan;
      expect(document.plan).to.deep.equal({ outcomes, exceptions_by_reason: byReason, widening, total });
      expect(document).to.include({ keylift: version(), format: 1 });
      expect(JSON.stringify(document)).not.to.include(TOKEN_MARK);
    });

    it('lets migrate run where the database is the same', async () => {
      await scenario.must(`plan --out ${file}`, 6);
      const { stderr } = await scenario.must(`migrate --yes --until backfill --plan ${file}`, 6);
      expect(stderr).to.include('the database has the numbers of the saved plan of 2');
      expect((await scenario.must('status --json')).json()).to.include({ stage: 'backfill' });
    });

    it('is compared again when a run resumes, and then with the same numbers', async () => {
      await scenario.must(`plan --out ${file} --holds ${path.dirname(file)}/holds.csv`, 6);
      await scenario.must(`migrate --yes --until backfill --plan ${file} --holds ${path.dirname(file)}/holds.csv`, 6);
      await scenario.must(`migrate --yes --plan ${file} --tolerance 0%`, 6);
    });

    it('is refused with other holds, however few', async () => {
      const holds = path.join(path.dirname(file), 'holds.csv');
      await scenario.must(`plan --out ${file} --holds ${holds}`, 6);
      const { code, message, hint } = await refused(`migrate --yes --plan ${file} --tolerance 100%`);
      expect(code).to.equal('saved_plan_of_another');
      expect(message).to.include('1 keys and 1 accounts by id, and this run holds 0 keys and 0 accounts');
      expect(hint).to.include('--holds');
      await scenario.must(`migrate --yes --until expand --plan ${file} --holds ${holds}`);
    });

    it('is refused with another configuration, by the keys that differ', async () => {
      await scenario.must(`plan --out ${file}`, 6);
      const { code, message, facts } = await refused(`migrate --yes --plan ${file} --config ${config}`);
      expect(code).to.equal('saved_plan_of_another');
      expect(message).to.include('another configuration; it differs in legacy.keys.timeZone');
      expect(facts.different).to.deep.equal(['legacy.keys.timeZone']);
    });

    it('is refused in another database, a copy of the first one', async () => {
      await scenario.must(`plan --out ${file}`, 6);
      const copy = await scenario.copy();
      try {
        const ended = await copy.run(`migrate --yes --json --plan ${file}`);
        expect(ended.exitCode).to.equal(3);
        const { code, message } = ended.json<Failure & Record<string, unknown>>().error;
        expect([code, message.includes(`another database: ${scenario.db.name}`)]).to.deep.equal([
          'saved_plan_of_another',
          true,
        ]);
      } finally {
        await copy.close();
      }
    });

    it('is refused from another release, and in another format', async () => {
      await scenario.must(`plan --out ${file}`, 6);
      await change((plan) => (plan.keylift = '0.0.1'));
      const release = await refused(`migrate --yes --plan ${file}`);
      expect([release.code, release.facts.plan_keylift]).to.deep.equal(['saved_plan_of_another', '0.0.1']);
      await change((plan) => Object.assign(plan, { keylift: version(), format: 2, further: true }));
      const format = await refused(`migrate --yes --plan ${file}`);
      expect([format.code, format.facts.plan_format]).to.deep.equal(['saved_plan_of_another', 2]);
    });

    it('is refused where the file is no saved plan, exit 2, with each fault', async () => {
      await scenario.must(`plan --out ${file}`, 6);
      await change((plan) => {
        plan.plan.total = '12';
        delete plan.holds.sha256;
      });
      const { code, message } = await refused(`migrate --yes --plan ${file}`, 2);
      expect(code).to.equal('saved_plan_invalid');
      expect(message).to.include('plan.total').and.include('holds.sha256: missing');
      for (const text of ['', '[]', '{"format":1,"format":1}', 'not json', '\u0000']) {
        await writeFile(file, text);
        expect((await refused(`migrate --yes --plan ${file}`, 2)).code).to.match(/^saved_plan_(invalid|unreadable)$/);
      }
      for (const other of [path.dirname(file), '/dev/zero', `${file}.none`])
        expect((await refused(`migrate --yes --plan ${other}`, 2)).code).to.equal('saved_plan_unreadable');
    });

    it('is saved and compared by a role that may only read', async () => {
      const reader = await createReader(scenario.db);
      expect((await scenario.run(`plan --out ${file}`, { url: reader.url })).exitCode).to.equal(6);
      expect((await scenario.run(`migrate --dry-run --plan ${file}`, { url: reader.url })).exitCode).to.equal(6);
      await reader.drop();
    });

    it('needs no --tolerance without --plan, and takes a percentage only', async () => {
      expect((await refused('migrate --yes --tolerance 5%', 2)).message).to.include('--tolerance needs --plan FILE');
      for (const wrong of ['5', '101%', '-1%', '0.00001%'])
        expect((await refused(`migrate --yes --plan ${file} --tolerance=${wrong}`, 2)).message).to.include(
          '0% to 100%',
        );
    });
  });

  describe('of 1,000 keys', () => {
    const add = (keys: number, api = 1): Promise<unknown> =>
      scenario.db.query(
        `insert into public.api_keys (account_id, api_id, token) select 1, ${String(api)}, 'new-' || n from generate_series(1, ${String(keys)}) n`,
      );
    beforeEach(async () => {
      await opened(Scenario.open());
      await plantMany(scenario.db, { keys: 1_000 });
      await scenario.must(`plan --out ${file}`);
    });

    it('is refused beyond 1%, with the numbers that differ, as facts and as a table', async () => {
      await add(12);
      const { code, message, facts } = await refused(`migrate --yes --plan ${file}`);
      expect(code).to.equal('plan_drifted');
      expect(message).to.match(/^the database has drifted from the saved plan of \d{4}-.+Z by more than 1%$/);
      expect(facts.tolerance).to.equal('1%');
      const total = { number: 'total', reviewed: 1_000, now: 1_012, difference: 12, percent: 1.2 };
      expect(facts.drift).to.deep.include(total);
      expect(facts.drift.map(({ number }) => number)).to.deep.equal(['outcomes.move', 'widening.keys', 'total']);
      const { stderr } = await scenario.run(`migrate --yes --plan ${file}`);
      expect(stderr).to.match(/ {4}number +reviewed +now +difference +percent\n/);
      expect(stderr).to.match(/ {4}total +1,000 +1,012 +\+12 +1\.2\n/);
    });

    it('is accepted within the tolerance, which is exact, and says what has changed', async () => {
      await add(10, 4);
      await refused(`migrate --yes --plan ${file} --tolerance 0.9999%`);
      const { stderr } = await scenario.must(`migrate --yes --until expand --plan ${file}`);
      expect(stderr).to.include('within 1%: outcomes.stay +10, total +10');
    });

    it('is refused for a single key with --tolerance 0%', async () => {
      await add(1);
      expect((await refused(`migrate --yes --plan ${file} --tolerance 0%`)).code).to.equal('plan_drifted');
    });

    it('is refused where one store API was added: each key would open more than was reviewed', async () => {
      await scenario.db.query(`insert into public.apis (id, slug, name, kind) values (5, 'new', 'New', 'store')`);
      const { facts } = await refused(`migrate --yes --plan ${file}`);
      expect(facts.drift).to.deep.equal([
        { number: 'widening.store_apis', reviewed: 3, now: 4, difference: 1, percent: 33.33 },
      ]);
    });

    it('is refused where keys moved between outcomes and the total is the same', async () => {
      await scenario.db.query(`update public.api_keys set created_at = null where id <= 60`);
      const { facts } = await refused(`migrate --yes --plan ${file}`);
      expect(facts.drift).to.deep.include({
        number: 'exceptions.missing_created_at',
        reviewed: 0,
        now: 18,
        difference: 18,
        percent: 1.8,
      });
    });

    it('is not refused for a few exceptions in a large table, though they are new', async () => {
      await scenario.db.query(`update public.api_keys set created_at = null where id <= 9`);
      await scenario.must(`migrate --yes --until expand --plan ${file}`, 0, 6);
    });

    it('is compared by --dry-run, too, which prints the plan', async () => {
      expect((await scenario.must(`migrate --dry-run --json --plan ${file}`)).json()).to.include({ total: 1_000 });
      await add(50);
      expect((await refused(`migrate --dry-run --plan ${file}`)).code).to.equal('plan_drifted');
    });
  });
});
