import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { openDatabase } from '../../src/database/connect.js';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { inspectLegacy } from '../../src/mapping/inspect.js';
import { exportCase, type Exported } from '../../src/cases/export/export.js';
import { readFixture, type FixtureKey } from '../../src/cases/fixture.js';
import { loadFixture } from '../../src/cases/run.js';
import { createTestDatabase } from '../support/database.js';
import { FOREIGN_SETTINGS, plantForeign } from '../support/foreign.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { judge, NOBODY_HELD, readWorld, type World } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { useDirectories } from './case-directory.js';

const OLD = 'a name of a customer, and a long one: '.repeat(5);

/** Keys in the order of their ids, which a sample keeps. */
const byNumber = (world: World): World => ({
  ...world,
  keys: [...world.keys].sort((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1)),
});

describe('snapshot export', () => {
  const write = useDirectories();
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await scenario.db.query(`
      update public.api_keys set name = 'customer ' || id where name = 'key ' || id or name in ('first', 'second',
        'same moment');
      update public.api_keys set name = '${OLD}', last_used_at = now() - interval '3 days' where id = 2;
      update public.api_keys set name = '   ' where id = 7;
      update public.api_keys set name = e'=cmd()\\tafter' where id = 60`);
  });
  afterEach(() => scenario.close());

  const freshFolder = async (): Promise<string> => path.join(await write({ 'beside.txt': '' }), 'sample');

  async function exported(accounts: number, directory: string): Promise<Exported> {
    const database = await openDatabase(scenario.db.url);
    try {
      const schema = await database.readOnly((session) => inspectLegacy(session, DEFAULT_SETTINGS));
      return await exportCase(database, schema, { directory, accounts });
    } finally {
      await database.close();
    }
  }

  const textOf = async (directory: string): Promise<string> =>
    (
      await Promise.all(
        (await readdir(directory, { recursive: true, withFileTypes: true }))
          .filter((entry) => entry.isFile())
          .map((entry) => readFile(path.join(entry.parentPath, entry.name), 'utf8')),
      )
    ).join('\n');

  /** Tokens, names, slugs and ids of the source that would be secret; short ones are words of every text. */
  async function secrets(): Promise<string[]> {
    const rows = await scenario.db.query<{ secret: string }>(`
      select token as secret from public.api_keys union select name from public.api_keys union select name
        from public.accounts
      union select slug from public.apis union select id::text from public.api_keys`);
    return rows.map(({ secret }) => secret).filter((secret) => typeof secret === 'string' && secret.trim().length > 3);
  }

  async function expectNothingSecret(directory: string): Promise<void> {
    const text = await textOf(directory);
    expect(
      (await secrets()).filter((secret) => text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1))),
    ).to.deep.equal([]);
  }

  it('makes a case of the whole, with every outcome, life and kind of name as it was, and nothing of the source', async () => {
    const before = await catalogDigest(scenario.db);
    const directory = await freshFolder();
    const counts = await exported(1000, directory);
    expect(await catalogDigest(scenario.db)).to.equal(before);
    await expectNothingSecret(directory);
    const { rows } = await readFixture(directory);
    const world = byNumber(await readWorld(scenario.db));
    expect(rows.keys).to.have.length(world.keys.length);
    expect(counts).to.include({ keys: world.keys.length, accounts: 5 });

    const copy = await createTestDatabase({ schema: 'none' });
    try {
      const database = await openDatabase(copy.url);
      await loadFixture(database, rows).finally(() => database.close());
      const again = byNumber(await readWorld(copy));
      const verdictsOf = (of: typeof world): unknown[] => {
        const places = new Map(of.keys.map(({ id }, at) => [id, at]));
        return [...judge(of, NOBODY_HELD).values()].map((judgement) =>
          'into' in judgement ? { ...judgement, into: places.get(judgement.into) } : judgement,
        );
      };
      expect(verdictsOf(again)).to.deep.equal(verdictsOf(world));
      expect(again.keys.map(({ alive }) => alive)).to.deep.equal(world.keys.map(({ alive }) => alive));
      expect(again.keys.map(({ dated }) => dated)).to.deep.equal(world.keys.map(({ dated }) => dated));
    } finally {
      await copy.drop();
    }
  });

  it('keeps names in their kind, and equal ones equal; dates stay, or keep their distance to today for good', async () => {
    await scenario.db.query(`update public.api_keys set name = 'one name' where id in (20, 21)`);
    const directory = await freshFolder();
    await exported(1000, directory);
    const { rows } = await readFixture(directory);
    const keys = await scenario.db.query<FixtureKey & { no: string }>(
      `select id::text, name, created_at::text, last_used_at::text, revoked_at::text, expires_at::text
        from public.api_keys k order by k.id`,
    );
    const pair = (id: string): [FixtureKey, FixtureKey] => {
      const at = keys.findIndex((key) => key.id === id);
      return [keys[at]!, rows.keys[at]!];
    };
    for (const [at, { name }] of keys.entries()) {
      const other = rows.keys[at]!.name ?? null;
      expect(other === null, `name ${String(name)}`).to.equal(name === null);
      if (name == null || other === null) continue;
      expect(
        [
          other === '',
          other.trim() === '',
          /[^\x00-\x7f]/.test(other),
          /\p{Cc}/u.test(other),
          /^[=+@-]/.test(other),
          /\p{M}/u.test(other),
          /[\u{10000}-\u{10ffff}]/u.test(other),
        ],
        name,
      ).to.deep.equal([
        name === '',
        name.trim() === '',
        /[^\x00-\x7f]/.test(name),
        /\p{Cc}/u.test(name),
        /^[=+@-]/.test(name),
        /\p{M}/u.test(name),
        /[\u{10000}-\u{10ffff}]/u.test(name),
      ]);
    }
    expect(pair('2')[1].name).to.have.length(OLD.length);
    expect(pair('20')[1].name).to.equal(pair('21')[1].name);
    expect(pair('9')[1].name).to.match(/^ {2}name-\d+$|^ {2}\S.* $/);
    expect(pair('2')[1].created_at).to.equal('1969-12-31T23:59:59.999999Z');
    expect(pair('6')[1].expires_at).to.equal('2300-01-01T00:00:00.999999Z');
    expect(Number(pair('2')[1].last_used_at?.slice(0, 4))).to.be.greaterThan(2200);
    expect(pair('1')[1].last_used_at).to.equal('2022-06-01T10:00:00.000001Z');
    expect(pair('4')[1].revoked_at).to.equal('2022-06-01T10:00:00.000001Z');
  });

  it('takes whole groups of a token along, and keeps the holds in force', async () => {
    await scenario.must(`migrate --yes --until expand --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`);
    for (const count of [1, 2, 3, 6]) {
      const directory = await freshFolder();
      const { outcomes, held, keys } = await exported(count, directory);
      const { rows } = await readFixture(directory);
      const sizes = await scenario.db.query<{ size: string }>(
        `select count(*) as size from public.api_keys where token <> '' group by token having count(*) > 1`,
      );
      const groups = new Map<string, number>();
      for (const { token } of rows.keys) if (token) groups.set(token, (groups.get(token) ?? 0) + 1);
      // No group is cut: with all accounts all groups are there, with fewer none has become smaller than it was.
      if (count === 6)
        expect([...groups.values()].filter((size) => size > 1).sort()).to.deep.equal(
          sizes.map(({ size }) => Number(size)).sort(),
        );
      expect(Object.values(outcomes).reduce((sum, n) => sum + n, 0)).to.equal(keys);
      if (count === 6) expect([held, outcomes.hold]).to.deep.equal([5, 5]);
      await expectNothingSecret(directory);
    }
  });

  it("reads other people's tables into the default ones, for a role that may only read, also from the archive", async () => {
    const other = await Scenario.open({ schema: 'none' });
    try {
      await plantForeign(other.db);
      const config = await other.file('keylift.config.json', JSON.stringify(FOREIGN_SETTINGS));
      for (const command of ['', 'migrate --yes', 'finalize --yes']) {
        if (command !== '') await other.must(`${command} --config ${config}`);
        const database = await openDatabase(other.db.url);
        const directory = await freshFolder();
        try {
          const schema = await database.readOnly((session) => inspectLegacy(session, FOREIGN_SETTINGS));
          expect((await exportCase(database, schema, { directory, accounts: 20 })).outcomes).to.deep.equal({
            move: 2,
            stay: 1,
            merge: 1,
            hold: 0,
            exception: 0,
          });
        } finally {
          await database.close();
        }
        const tokens = (await readFixture(directory)).rows.keys.map(({ token }) => token);
        expect([tokens.length, new Set(tokens).size, tokens[2]]).to.deep.equal([4, 3, tokens[3]]);
        expect(tokens.join()).to.match(/^(token-[123],?){4}$/);
      }
    } finally {
      await other.close();
    }
  });

  it('takes a sample of 100,000 keys, with statistics and without, within the time limit of a test', async () => {
    await scenario.db.query('alter table public.api_keys set (autovacuum_enabled = off)');
    await scenario.db.query(`
      insert into public.accounts (id, kind, name) select n, 'user', 'account ' || n
        from generate_series(10001, 30000) n;
      insert into public.api_keys (id, account_id, api_id, name, token, created_at)
        select n, 10001 + n % 20000, 1, 'key ' || n, 'many-' || n / 2, timestamptz '2021-01-01+00'
          from generate_series(100001, 200000) n`);
    const folder = path.dirname(await freshFolder());
    const first = await exported(20, path.join(folder, 'first'));
    await scenario.db.query('analyze');
    expect(first.accounts).to.be.at.least(20);
    expect(await exported(20, path.join(folder, 'second'))).to.deep.equal({ ...first, directory: `${folder}/second` });
  });

  describe('by the front door', () => {
    const validate = new Ajv({ strict: true });

    it('writes the case with its snapshots, and check on it passes', async () => {
      const reader = await createReader(scenario.db);
      const directory = await freshFolder();
      const ended = await scenario.run(['snapshot', 'export', '--accounts', '20', directory, '--json'], {
        url: reader.url,
      });
      await reader.drop();
      expect(ended.exitCode, ended.stderr).to.equal(0);
      const answer = ended.json<Exported>();
      expect(
        validate.validate(
          JSON.parse(await readFile(path.join(packageRoot(), 'schemas/snapshot-export.schema.json'), 'utf8')) as object,
          answer,
        ),
        validate.errorsText(),
      ).to.equal(true);
      expect((await readdir(path.join(directory, 'snapshots'))).sort()).to.deep.equal([
        'access.json',
        'plan.json',
        'settings.json',
        'verify.json',
      ]);
      await expectNothingSecret(directory);
      const plan = JSON.parse(await readFile(path.join(directory, 'snapshots/plan.json'), 'utf8')) as Exported;
      expect([plan.outcomes, plan.exceptions_by_reason]).to.deep.equal([answer.outcomes, answer.exceptions_by_reason]);
      const source = (await scenario.must('plan --json', 6)).json<Exported>();
      expect(answer.outcomes).to.deep.equal(source.outcomes);
      expect((await scenario.must(`snapshot check ${directory}`)).stdout).to.equal(
        'ok      sample\n1 case: 1 the same, 0 differ\n',
      );
    });

    it('writes over nothing, and needs a database', async () => {
      const directory = path.dirname(await freshFolder());
      const taken = await scenario.run(['snapshot', 'export', directory]);
      expect([taken.exitCode, taken.stdout]).to.deep.equal([2, '']);
      expect(taken.stderr).to.include('is not empty');
      await writeFile(path.join(directory, 'file'), '');
      expect((await scenario.run(['snapshot', 'export', path.join(directory, 'file')])).exitCode).to.equal(2);
    });
  });
});
