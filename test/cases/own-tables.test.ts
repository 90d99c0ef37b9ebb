import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { FOREIGN_SETTINGS, FOREIGN_TABLES, foreignId as id } from '../support/foreign.js';
import { useDirectories } from './case-directory.js';
import { useScratchRole } from './scratch-role.js';

/** What a dump looks like: psql's own lines, a search path that is none, and nothing qualified by chance. */
const SCHEMA =
  `\\restrict abc123\nSELECT pg_catalog.set_config('search_path', '', false);\n${FOREIGN_TABLES}\n` +
  '\\unrestrict abc123\n';

const TABLES = {
  about: 'Digests of uuid keys; owners one join away.',
  tables: {
    'app."Owner"': [{ Id: 'own-é' }],
    'app."Environment"': [
      { id: 1, ownerId: 'own-é' },
      { id: 2, ownerId: 'own-é' },
    ],
    'app."Service"': [
      { Id: 1, slug: 'ocr', public: true },
      { Id: 2, slug: 'invoices', public: true },
      { Id: 3, slug: 'mine', public: false },
      { Id: 4, slug: 'mine' },
    ],
    'app."ApiKey"': [
      {
        Id: id(1),
        Digest: '\\x0102',
        createdAt: '2021-01-01 00:00:00.123',
        serviceId: 1,
        environmentId: 1,
        prefix: 'a',
      },
      { Id: id(2), Digest: '\\x0203', createdAt: '2021-01-02', serviceId: 3, environmentId: 1, prefix: 'b' },
      {
        Id: id(3),
        Digest: '\\x0304',
        createdAt: '2021-01-03',
        expiresAt: '2998-01-01',
        serviceId: 1,
        environmentId: 2,
        prefix: 'c',
      },
    ],
  },
};

describe("snapshot of tables of the operator's own", () => {
  const write = useDirectories();
  const role = useScratchRole();
  const run = (line: string[], cwd?: string) =>
    keylift(['snapshot', ...line], { env: { DATABASE_URL: role.url() }, ...(cwd === undefined ? {} : { cwd }) });
  const folderOf = (files: Record<string, unknown>) =>
    write({ 'keylift.config.json': FOREIGN_SETTINGS, 'schema.sql': SCHEMA, 'one/legacy.json': TABLES, ...files });

  it('runs them as schema.sql makes them and keylift.config.json means them, both beside the case or one folder above', async () => {
    const folder = await folderOf({});
    expect((await run(['update', folder])).stdout).to.match(/^written one\n/);
    expect((await run(['check', folder])).stdout).to.equal('ok      one\n1 case: 1 the same, 0 differ\n');
    const settings = JSON.parse(await readFile(path.join(folder, 'one/snapshots/settings.json'), 'utf8')) as {
      keys: Record<string, unknown>[];
    }[];
    expect(settings).to.have.length(1);
    expect(settings[0]).to.deep.include({ id: 'own-é', account: { name: null } });
    expect(settings[0]!.keys[0]).to.deep.equal({
      id: id(1),
      name: null,
      fingerprint: 'a12871fee210',
      created_at: '2021-01-01T00:00:00.123000',
      last_used_at: null,
      revoked_at: null,
      expires_at: null,
      scope: 'store_apis',
      origin_api: 'ocr',
      carried: { prefix: 'a' },
    });
    const access = JSON.parse(await readFile(path.join(folder, 'one/snapshots/access.json'), 'utf8')) as {
      apis: object;
    }[];
    expect(access.map(({ apis }) => Object.keys(apis))[0]).to.deep.equal(['invoices', 'mine#3', 'mine#4', 'ocr']);
    // The case alone, from elsewhere, still finds what stands one folder above.
    expect((await run(['check', path.join(folder, 'one')])).exitCode).to.equal(0);
  });

  it('takes the configuration of the command where the case has none', async () => {
    const folder = await write({
      'cases/one/legacy.json': TABLES,
      'cases/one/schema.sql': SCHEMA,
      'mine.json': FOREIGN_SETTINGS,
    });
    const cases = path.join(folder, 'cases');
    const without = await run(['update', cases]);
    expect([without.exitCode, without.stdout.split('\n')[0]]).to.deep.equal([2, 'FAILED  one']);
    expect(without.stdout).to.include('the configuration of case one names what this database does not have');
    expect((await run(['update', cases, '--config', path.join(folder, 'mine.json')])).exitCode).to.equal(0);
    await writeFile(path.join(folder, 'keylift.config.json'), JSON.stringify(FOREIGN_SETTINGS));
    expect((await run(['check', cases], folder)).exitCode).to.equal(0);
  });

  it('leaves a case in the default tables to the default mapping, whatever stands in the working folder', async () => {
    const folder = await write({
      'keylift.config.json': FOREIGN_SETTINGS,
      'schema.sql': SCHEMA,
      'plain/legacy.json': { accounts: [{ id: 1, kind: 'user', name: 'Ada' }], apis: [], keys: [] },
    });
    expect((await run(['update', path.join(folder, 'plain')], folder)).exitCode).to.equal(0);
  });

  it('shows what changed as text, as JSON and as JUnit XML', async () => {
    const folder = await folderOf({});
    await run(['update', folder]);
    const file = path.join(folder, 'one/snapshots/settings.json');
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('2021-01-01T00:00:00.123000', '2021-01-01T00:00:00.124000'),
    );
    const junit = path.join(folder, 'results.xml');
    const { exitCode, stdout } = await run(['check', folder, '--junit', junit]);
    expect([exitCode, stdout.split('\n')[1]?.trim()]).to.deep.equal([
      4,
      `settings[id=own-é].keys[id=${id(1)}].created_at: ` +
        'expected "2021-01-01T00:00:00.124000", got "2021-01-01T00:00:00.123000"',
    ]);
    const xml = await readFile(junit, 'utf8');
    expect(xml).to.match(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites name="keylift snapshot" tests="1" failures="1" errors="0" skipped="0" time="[\d.]+">/,
    );
    expect(xml)
      .to.include('<failure message="1 difference from the snapshots" type="snapshot">settings[id=own-é].keys')
      .and.include('&quot;2021-01-01T00:00:00.124000&quot;');
  });

  it('has all faults of its files told at once', async () => {
    const folder = await write({
      'keylift.config.json': { legacy: { keys: { tabel: 'x' } } },
      'a/legacy.json': { tables: { 'not a name': [], 'public.t': [{ id: 9007199254740993, name: 'a\u0000' }, 5] } },
      'b/legacy.json': { tables: { t: [{ n: 1e300 }, { deep: [{ x: '\ud800' }] }] }, keys_: [] },
    });
    const { exitCode, stderr } = await run(['check', folder]);
    expect(exitCode).to.equal(2);
    for (const place of [
      'a/keylift.config.json',
      'a/schema.sql: does not exist',
      'a/legacy.json: tables["public.t"][1]: not object',
      'b/legacy.json: keys_: unknown field',
    ])
      expect(stderr).to.include(place);
    const names = await write({
      'schema.sql': '',
      'a/legacy.json': {
        tables: { 'not a name': [], 'public.t': [{ id: 9007199254740993, name: 'a\u0000', deep: [{ x: '\ud800' }] }] },
      },
    });
    const again = await run(['check', names]);
    for (const place of [
      'tables["not a name"]: not a table name',
      'tables["public.t"][0].id: a number beyond 2^53',
      '[0].name: not a text',
      '[0].deep[0].x: not a text',
    ])
      expect(again.stderr).to.include(place);
  });

  it('exits 2 for what PostgreSQL does not take, by the place it stands in; the other cases run on', async () => {
    const folder = await folderOf({
      'bad-ddl/legacy.json': TABLES,
      'bad-ddl/schema.sql': 'create tabel x ();',
      'bad-row/legacy.json': { tables: { 'app."Service"': [{ Id: 1, slug: 'ocr', no_such_column: 5 }] } },
      'bad-value/legacy.json': { tables: { 'app."Service"': [{ Id: 'sécret', slug: 'ocr' }] } },
    });
    const { exitCode, stdout } = await run(['update', folder]);
    expect(exitCode).to.equal(2);
    expect(stdout).to.match(/FAILED {2}bad-ddl\n +keylift: schema\.sql cannot be loaded: .*syntax error/);
    expect(stdout).to.match(/FAILED {2}bad-row\n +keylift: "app"\."Service" cannot be loaded: .*no_such_column/);
    expect(stdout)
      .to.match(/FAILED {2}bad-value\n +keylift: "app"\."Service" cannot be loaded: /)
      .and.not.include('sécret');
    expect(stdout).to.include('written one');
    expect(await role.databases()).to.deep.equal([]);
  });

  it('refuses a flag that belongs to another action, and a JUnit file nobody can write, before any case runs', async () => {
    const folder = await folderOf({});
    await mkdir(path.join(folder, 'taken'));
    for (const [line, said] of [
      [['update', folder, '--junit', 'x.xml'], '--junit belongs to'],
      [['check', folder, '--accounts', '3'], '--accounts belongs to'],
      [['check', folder, '--junit', path.join(folder, 'none/x.xml')], 'cannot be written'],
    ] as const) {
      const { exitCode, stderr, stdout } = await run([...line]);
      expect([exitCode, stdout], stderr).to.deep.equal([2, '']);
      expect(stderr).to.include(said);
    }
  });
});
