import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import Papa from 'papaparse';
import { noticeOutput } from '../../src/plan/outputs.js';
import { writeFile } from '../../src/files/write.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { createReader } from '../support/reader.js';
import { judge, readWorld } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { plantMany, TOKEN_MARK, tokenOf, type Seed } from '../support/seed.js';

const HEADER = [
  'account_id',
  'account',
  'key_id',
  'key_name',
  'opens_before',
  'opens_after',
  'apis_before',
  'apis_after',
];
type Row = Record<string, string>;

describe('plan --notice', () => {
  let scenario: Scenario;
  let file: string;
  afterEach(() => scenario.close());

  async function seeded(seed: Seed): Promise<void> {
    scenario = await Scenario.of(seed);
    file = path.join(path.dirname(await scenario.file('holds.csv', MOTLEY_HOLDS.csv)), 'notice.csv');
  }

  const rowsOf = (text: string): Row[] => {
    const { data, meta } = Papa.parse<Row>(text, { header: true, skipEmptyLines: true });
    expect(meta.fields).to.deep.equal(HEADER);
    return data;
  };
  const written = async (): Promise<Row[]> => rowsOf(await readFile(file, 'utf8'));

  it('has a row for every key that the plan counts as widened, by the model, too', async () => {
    await seeded(MOTLEY);
    const holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
    const plan = (await scenario.must(`plan --json --holds ${holds} --notice ${file}`, 6)).json<{
      widening: { keys: number };
      notice: unknown;
    }>();
    const rows = await written();
    expect(plan.notice).to.deep.equal({ file, keys: rows.length, store_apis: ['invoices', 'passport', 'receipts'] });
    expect(rows.length).to.equal(plan.widening.keys);
    const world = await readWorld(scenario.db);
    const judged = judge(world, MOTLEY_HOLDS);
    const expected = world.keys
      .filter((key) => key.alive && judged.get(key.id)!.outcome === 'move')
      .map((key) => key.id);
    expect(rows.map((row) => row.key_id)).to.have.members(expected);
    expect(new Set(rows.map((row) => `${row.opens_after!} ${row.apis_after!}`))).to.deep.equal(
      new Set(['every store API 3']),
    );
    expect(await readFile(file, 'utf8')).not.to.include(TOKEN_MARK);
  });

  it('puts merged keys under their account key, accounts in the order of their ids, keys by creation', async () => {
    await seeded({
      accounts: ['acme', 'bert'],
      apis: { receipts: 'store', invoices: 'store', forms: 'custom of acme' },
      keys: [
        { id: 1, account: 'bert', api: 'invoices', name: 'later', created: '2021-02-01+00' },
        { id: 2, account: 'bert', api: 'receipts', name: 'sooner', created: '2021-01-01+00', token: tokenOf('twins') },
        { id: 3, account: 'bert', api: 'invoices', name: 'merged', created: '2021-03-01+00', token: tokenOf('twins') },
        { id: 4, account: 'acme', api: 'invoices', name: 'a, "quoted"\nname' },
        { id: 5, account: 'acme', api: 'forms' },
        { id: 6, account: 'acme', api: 'invoices', revoked: '2022-01-01+00' },
      ],
    });
    await scenario.must(`plan --notice ${file}`);
    expect(await written()).to.deep.equal([
      {
        account_id: '1',
        account: 'acme',
        key_id: '4',
        key_name: 'a, "quoted"\\u000aname',
        opens_before: 'invoices',
        opens_after: 'every store API',
        apis_before: '1',
        apis_after: '2',
      },
      {
        account_id: '2',
        account: 'bert',
        key_id: '2',
        key_name: 'sooner',
        opens_before: 'invoices receipts',
        opens_after: 'every store API',
        apis_before: '2',
        apis_after: '2',
      },
      {
        account_id: '2',
        account: 'bert',
        key_id: '1',
        key_name: 'later',
        opens_before: 'invoices',
        opens_after: 'every store API',
        apis_before: '1',
        apis_after: '2',
      },
    ]);
  });

  it('hands a spreadsheet nothing that it would run', async () => {
    const names = ['=1+1', '+1', '-1+1', '@sum(a1)', ' =1', '＝1', ';=1;', 'a,=1', 'a; "=1"', '-5', '', 'a-b=c'];
    await seeded({
      accounts: ['=cmd|x'],
      apis: { invoices: 'store' },
      keys: names.map((name, at) => ({ id: at === 1 ? 1 : -at - 1, account: '=cmd|x', api: 'invoices', name })),
    });
    await scenario.must(`plan --notice ${file}`);
    const rows = await written();
    expect(rows.map((row) => row.key_name)).to.deep.equal([
      "'=1+1",
      "'+1",
      "'-1+1",
      "'@sum(a1)",
      " '=1",
      "'＝1",
      ";'=1;",
      "a,'=1",
      'a; "\'=1"',
      '-5',
      '',
      'a-b=c',
    ]);
    expect(rows[0]).to.include({ account: "'=cmd|x", key_id: '-1' });
    for (const separator of [',', ';', '\t']) {
      const fields = (await readFile(file, 'utf8')).split('\n').flatMap((line) => line.split(separator));
      expect(
        fields.filter((field) => /^[\s"]*(?:[=+@＝]|-(?!\d+$))/.test(field)),
        separator,
      ).to.deep.equal([]);
    }
  });

  it('has no control character, however a name is split or shown', async () => {
    const names = ['\u001b]52;c;QQ==\u0007', 'a\t=1', 'a\r\n=1', '\u009b2J', '\u202ea', 'a\u2028b'];
    await seeded({
      accounts: ['\u001b[2Jacme'],
      apis: { invoices: 'store' },
      keys: names.map((name, at) => ({ id: at + 1, account: '\u001b[2Jacme', api: 'invoices', name })),
    });
    await scenario.must(`plan --notice ${file}`);
    const rows = await written();
    expect(rows.map((row) => row.key_name)).to.deep.equal([
      '\\u001b]52;c;QQ==\\u0007',
      'a\\u0009=1',
      'a\\u000d\\u000a=1',
      '\\u009b2J',
      '\\u202ea',
      'a\\u2028b',
    ]);
    expect(rows[0]!.account).to.equal('\\u001b[2Jacme');
  });

  it('is read by its owner alone, replaces a list whole, and leaves nothing beside it', async () => {
    await seeded(MOTLEY);
    await scenario.file('notice.csv', 'old');
    await scenario.must(`plan --notice ${file}`, 6);
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    expect((await written()).length).to.be.greaterThan(5);
    expect((await readdir(path.dirname(file))).sort()).to.deep.equal(['holds.csv', 'notice.csv']);
  });

  it('refuses what cannot be a list, and leaves it', async () => {
    await seeded(MOTLEY);
    const folder = path.join(path.dirname(file), 'folder');
    await mkdir(folder);
    for (const place of [folder, '/dev/null', path.join(folder, 'no', 'such', 'file.csv')]) {
      const { exitCode, stderr } = await scenario.run(`plan --notice ${place}`);
      expect(exitCode, stderr).to.equal(2);
      expect(stderr).to.include('cannot be written');
    }
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('is as it was when its making was stopped, with nothing beside it', async () => {
    await seeded(MOTLEY);
    await scenario.file('notice.csv', 'old');
    const stopped = writeFile(noticeOutput(file), async (append) => {
      await append('half');
      throw new Error('stopped');
    });
    expect(await stopped.catch((error: unknown) => (error as Error).message)).to.equal('stopped');
    expect(await readFile(file, 'utf8')).to.equal('old');
    expect((await readdir(path.dirname(file))).sort()).to.deep.equal(['holds.csv', 'notice.csv']);
  });

  it('is written for a role that may only read', async () => {
    await seeded(MOTLEY);
    const reader = await createReader(scenario.db);
    const ended = await scenario.run(`plan --notice ${file}`, { url: reader.url });
    expect(ended.exitCode, ended.stderr).to.equal(6);
    expect((await written()).length).to.be.greaterThan(5);
    await reader.drop();
  });

  it('goes on over many pages', async () => {
    await seeded({ accounts: [], apis: {}, keys: [] });
    await plantMany(scenario.db, { keys: 12_345 });
    const plan = (await scenario.must(`plan --json --notice ${file}`)).json<{ widening: { keys: number } }>();
    const rows = await written();
    expect(rows.length).to.equal(plan.widening.keys).and.be.greaterThan(8_000);
    expect(new Set(rows.map((row) => row.key_id)).size).to.equal(rows.length);
    expect(rows.map((row) => Number(row.account_id))).to.deep.equal(
      rows.map((row) => Number(row.account_id)).sort((a, b) => a - b),
    );
  });

  it('has rows whose length does not grow with the number of APIs', async () => {
    await seeded({
      accounts: ['acme'],
      apis: Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`api-${String(at)}`, 'store'])),
      keys: [{ account: 'acme', api: 'api-7', name: 'one' }],
    });
    const { notice } = (await scenario.must(`plan --json --notice ${file}`)).json<{
      notice: { store_apis: string[] };
    }>();
    expect(notice.store_apis).to.have.length(500).and.include('api-499');
    expect((await readFile(file, 'utf8')).split('\n')[1]).to.equal('1,acme,1,one,api-7,every store API,1,500');
  });

  it('has a header alone where nothing widens', async () => {
    await seeded({ accounts: ['acme'], apis: { invoices: 'store' }, keys: [] });
    expect((await scenario.must(`plan --notice ${file}`)).stdout).to.include('Notice: 0 keys');
    expect(await readFile(file, 'utf8')).to.equal(`${HEADER.join(',')}\n`);
  });
});
