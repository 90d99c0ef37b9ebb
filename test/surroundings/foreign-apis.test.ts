import { expect } from 'chai';
import { OWN_APIS } from '../support/projects.js';
import { Scenario } from '../support/scenario.js';
import { catalogDigest } from '../support/reader.js';
import { anchorsOf, readDocument } from '../docs/headings.js';

interface Finding {
  kind: string;
  object: string;
  fact: string;
  meets: string;
  severity: string;
  gate: string | null;
  phases: string[];
}

/** Projects 1, 2, … of organizations 1, 2, …: five projects each, and three keys a project, all of its organization. */
async function plantProjects(scenario: Scenario, projects: number): Promise<void> {
  const count = String(projects);
  await scenario.db.query(`
    insert into public.accounts (id, kind, name)
      select n, 'organization', 'org ' || n from generate_series(1, ${count} / 5 + 1) n;
    insert into public.apis (id, owner_account_id, slug, name, kind)
      select n, (n - 1) / 5 + 1, 'project-' || n, 'Project ' || n, 'store' from generate_series(1, ${count}) n;
    insert into public.api_keys (id, account_id, api_id, name, token, created_at, revoked_at)
      select n, a.owner_account_id, a.id, 'key ' || n, 'secret+' || n, '2021-01-01'::timestamptz + n * interval '1 h',
        case when n % 7 = 0 then now() end
      from generate_series(1, 3 * ${count}) n join public.apis a on a.id = (n - 1) / 3 + 1`);
}

/** One more project, of organization 1, with a key. */
const addProject = (scenario: Scenario): Promise<unknown> =>
  scenario.db.query(`
    with added as (
      insert into public.apis (id, owner_account_id, slug, name, kind)
        select max(id) + 1, 1, 'added', 'Added', 'store' from public.apis returning id)
    insert into public.api_keys (id, account_id, api_id, name, token, created_at)
      select 8000 + id, 1, id, 'added', 'secret+added', '2022-01-01' from added`);

/** The last organization gets a key of each of these projects. */
const shareProjects = (scenario: Scenario, ...projects: number[]): Promise<unknown> =>
  scenario.db.query(
    `insert into public.api_keys (id, account_id, api_id, name, token, created_at)
      select 9000 + a.id, o.id, a.id, 'guest', 'secret+guest' || a.id, '2022-01-01'
      from public.apis a, public.accounts o
      where a.id = any ($1) and o.id = (select max(id) from public.accounts)`,
    [projects],
  );

describe('a mapping under which account keys open APIs of other accounts', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
  });
  afterEach(() => scenario.close());

  const config = (settings: object): Promise<string> => scenario.file('config.json', JSON.stringify(settings));

  const findingOf = async (flags = ''): Promise<Finding | undefined> => {
    const plan = (await scenario.must(`plan --json ${flags}`)).json<{ surroundings: Finding[] }>();
    return plan.surroundings.find(({ gate }) => gate === 'foreign_apis');
  };

  const refused = async (line: string): Promise<string> => {
    const before = [await scenario.legacyDigest(), await catalogDigest(scenario.db)];
    const { exitCode, stdout, stderr } = await scenario.run(line);
    expect([exitCode, stdout], stderr).to.deep.equal([3, '']);
    expect(stderr).to.include('foreign_apis: ').and.include('runbook.md#gate-foreign-apis');
    expect(anchorsOf(readDocument('runbook.md'))).to.include('gate-foreign-apis');
    expect([await scenario.legacyDigest(), await catalogDigest(scenario.db)]).to.deep.equal(before);
    return stderr;
  };

  it('is in check and plan with its numbers, and refused by migrate, also with --yes', async () => {
    await plantProjects(scenario, 40);
    await shareProjects(scenario, 1, 2);
    const finding = await findingOf();
    expect(finding).to.deep.include({
      kind: 'scope',
      object: 'legacy.apis.inStore',
      severity: 'gate',
      phases: ['expand', 'switch'],
      fact: 'of 40 store APIs with keys, 38 (95%) have keys of one account only; they belong to 8 accounts',
    });
    const check = (await scenario.must('check --json', 2)).json<{
      faults: { at: string; kind: string; way_out: string }[];
      surroundings: Finding[];
    }>();
    expect(check.faults).to.have.length(1);
    expect(check.faults[0]).to.deep.include({ at: 'legacy.apis.inStore', kind: 'surroundings' });
    expect(check.faults[0]!.way_out).to.include('a.organization_id = o.id').and.include('"shared": true');
    expect(check.surroundings[0]).to.deep.equal(finding);
    expect((await scenario.must('plan')).stdout).to.match(/^ +gate +legacy\.apis\.inStore \(expand, switch\)$/m);
    const stderr = await refused('migrate --yes');
    expect(stderr).to.include('of 40 store APIs with keys, 38 (95%)').and.include('"shared": true');
    await refused('plan --rehearse');
  });

  it('is let through where the configuration says that the APIs are shared', async () => {
    await plantProjects(scenario, 20);
    const file = await config({ legacy: { apis: { shared: true } } });
    await scenario.must(`check --config ${file}`);
    await scenario.must(`migrate --yes --config ${file}`);
    await scenario.must(`verify --config ${file}`);
  });

  it('is let through where an account opens its own APIs only', async () => {
    await plantProjects(scenario, 20);
    const file = await config(OWN_APIS);
    expect(await findingOf(`--config ${file}`)).to.equal(undefined);
    await scenario.must(`check --config ${file}`);
  });

  it('is refused where the expression names the account and opens APIs of others all the same', async () => {
    await plantProjects(scenario, 20);
    for (const sql of [`a.kind = 'store' and o.kind = 'organization'`, 'a.owner_account_id = o.id or a.id = 7']) {
      const file = await config({ legacy: { apis: { inStore: { sql } } } });
      const stderr = await refused(`migrate --yes --config ${file}`);
      expect(stderr).to.include(`of 20 of these APIs compared with every account, ${sql.endsWith('7') ? '1' : '20'} `);
    }
  });

  it('needs twenty APIs, 95 of 100 of them with keys of one account, and two accounts', async () => {
    await plantProjects(scenario, 19);
    expect(await findingOf(), '19 APIs').to.equal(undefined);
    await addProject(scenario);
    expect(await findingOf(), '20 APIs').to.not.equal(undefined);
    await shareProjects(scenario, 1);
    expect(await findingOf(), '19 of 20').to.not.equal(undefined);
    await shareProjects(scenario, 2);
    expect(await findingOf(), '18 of 20').to.equal(undefined);
    await scenario.db.query('update public.api_keys set account_id = 1');
    expect(await findingOf(), 'one account').to.equal(undefined);
  });

  it('is asked again before a switch, and consent lets a migration that has begun go on', async () => {
    await plantProjects(scenario, 19);
    await scenario.must('migrate --yes --until verify');
    await addProject(scenario);
    for (const line of ['migrate --yes', 'switch --all --yes', 'switch --cohort 5% --yes']) await refused(line);
    const file = await config({ legacy: { apis: { shared: true } } });
    await scenario.must(`switch --cohort 5% --yes --config ${file}`);
    await scenario.must(`switch --cohort 5% --back --yes`);
    await scenario.must(`migrate --yes --config ${file}`);
    await scenario.must('rollback --yes');
  });
});
