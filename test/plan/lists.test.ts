import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import Papa from 'papaparse';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { createReader } from '../support/reader.js';
import { answer, judge, readWorld } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { plantMany, TOKEN_MARK, tokenOf, type Seed } from '../support/seed.js';
import { schemaOf } from '../schemas/answers.js';

type Row = Record<string, string>;
interface Plan {
  outcomes: Record<string, number>;
  exceptions_by_reason: Record<string, number>;
  widening: { keys: number; dormant_keys: number };
  total: number;
  keys: { file: string; keys: number };
  dormant: { file: string; keys: number };
}

const COLUMNS: Record<'keys' | 'dormant', string> = {
  keys:
    'key_id,key_name,fingerprint,account_id,account,api_id,api,alive,outcome,reason,account_key_id,' +
    'opens_before,opens_after,apis_before,apis_after',
  dormant: 'key_id,key_name,fingerprint,owner_id,owner,api,created_at,last_used_at',
};

/** Names that a spreadsheet or a terminal would obey. */
const HOSTILE = ['=1+1', ';=1;', 'a\t=1', '\u001b]52;c;QQ==\u0007', 'a\r\n=1', '+1', '@sum(a1)', '\u202ea', '-1+1'];

describe('the lists of plan', () => {
  let scenario: Scenario;
  let holds: string;
  afterEach(() => scenario.close());

  async function seeded(seed: Seed): Promise<void> {
    scenario = await Scenario.of(seed);
    holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
  }
  const fileOf = (list: 'keys' | 'dormant'): string => path.join(path.dirname(holds), `${list}.csv`);

  async function written(list: 'keys' | 'dormant'): Promise<Row[]> {
    const text = await readFile(fileOf(list), 'utf8');
    const { data, meta } = Papa.parse<Row>(text, { header: true, skipEmptyLines: true });
    expect(meta.fields?.join()).to.equal(COLUMNS[list]);
    expect(text).not.to.include(TOKEN_MARK);
    expect((await stat(fileOf(list))).mode & 0o777).to.equal(0o600);
    return data;
  }

  async function planned(flags: string, code = 0): Promise<Plan> {
    const plan = (await scenario.must(`plan --json ${flags}`, code)).json<Plan>();
    const validate = schemaOf('plan');
    expect(validate(plan), JSON.stringify(validate.errors)).to.equal(true);
    return plan;
  }

  const counted = (rows: readonly Row[], column: string): Record<string, number> =>
    rows.reduce<Record<string, number>>((sums, row) => {
      const value = row[column]!;
      return value === '' ? sums : { ...sums, [value]: (sums[value] ?? 0) + 1 };
    }, {});

  describe('--keys', () => {
    it('has every key with the outcome and reason of the model, and the counts of the plan', async () => {
      await seeded(MOTLEY);
      const plan = await planned(`--holds ${holds} --keys ${fileOf('keys')}`, 6);
      const rows = await written('keys');
      expect(plan.keys).to.deep.equal({ file: fileOf('keys'), keys: plan.total });
      expect(rows.length).to.equal(plan.total);
      const world = await readWorld(scenario.db);
      const judged = judge(world, MOTLEY_HOLDS);
      expect(Object.fromEntries(rows.map(({ key_id: id, outcome, reason }) => [id, [outcome, reason]]))).to.deep.equal(
        Object.fromEntries(
          [...judged].map(([id, verdict]) => [id, [verdict.outcome, 'reason' in verdict ? verdict.reason : '']]),
        ),
      );
      const outcomes = counted(rows, 'outcome');
      for (const [outcome, count] of Object.entries(plan.outcomes)) expect(outcomes[outcome] ?? 0).to.equal(count);
      expect(counted(rows, 'reason')).to.deep.equal(plan.exceptions_by_reason);
    });

    it('says what each key opens, before and after', async () => {
      await seeded(MOTLEY);
      await planned(`--holds ${holds} --keys ${fileOf('keys')}`, 6);
      const world = await readWorld(scenario.db);
      const judged = judge(world, MOTLEY_HOLDS);
      const slugs = new Map(
        (await scenario.db.query<{ id: string; slug: string }>('select id::text, slug from public.apis')).map((api) => [
          api.id,
          api.slug,
        ]),
      );
      const keys = new Map(world.keys.map((key) => [key.id, key]));
      for (const row of await written('keys')) {
        const key = keys.get(row.key_id!)!;
        const opened = (switched: 'none' | 'all'): string[] =>
          [...world.apis.keys()].filter((api) => answer({ world, judged, switched }, key.token, api) !== undefined);
        const opens = key.alive && key.token !== null && key.token !== '' && slugs.has(key.api ?? '');
        expect(row.opens_before, row.key_id).to.equal(opens ? slugs.get(key.api!) : '');
        // The token of an account key opens every store API; a row that keeps its own API opens that one.
        const widens = opens && ['move', 'merge'].includes(judged.get(key.id)!.outcome);
        expect(row.opens_after, row.key_id).to.equal(widens ? 'every store API' : row.opens_before);
        expect(Number(row.apis_after), row.key_id).to.equal(widens ? 3 : opens ? 1 : 0);
        if (opens) expect(opened('none'), row.key_id).to.include(key.api);
        if (widens) expect(opened('all').length, row.key_id).to.be.greaterThanOrEqual(3);
      }
    });

    it('shows a key by the fingerprint of its token, and the key that answers for a merged one', async () => {
      await seeded({
        accounts: ['acme'],
        apis: { receipts: 'store', invoices: 'store' },
        keys: [
          { id: 1, account: 'acme', api: 'receipts', token: tokenOf('same') },
          { id: 2, account: 'acme', api: 'invoices', token: tokenOf('same') },
          { id: 3, account: 'acme', api: 'invoices', token: null },
        ],
      });
      await planned(`--keys ${fileOf('keys')}`, 6);
      const fingerprint = createHash('sha256').update(tokenOf('same')).digest('hex').slice(0, 12);
      const rows = await written('keys');
      expect(rows.map((row) => [row.outcome, row.fingerprint, row.account_key_id, row.opens_before])).to.deep.equal([
        ['move', fingerprint, '1', 'receipts'],
        ['merge', fingerprint, '1', 'invoices'],
        ['exception', '', '', ''],
      ]);
    });

    it('is written for a role that may only read', async () => {
      await seeded(MOTLEY);
      const reader = await createReader(scenario.db);
      const flags = `--keys ${fileOf('keys')} --dormant ${fileOf('dormant')}`;
      expect((await scenario.run(`plan ${flags}`, { url: reader.url })).exitCode).to.equal(6);
      expect((await written('keys')).length).to.be.greaterThan(20);
      await reader.drop();
    });
  });

  describe('--dormant', () => {
    it('has as many keys as the plan counts, and holds all of them', async () => {
      await seeded(MOTLEY);
      const plan = await planned(`--dormant ${fileOf('dormant')}`, 6);
      const rows = await written('dormant');
      expect(plan.dormant).to.deep.equal({ file: fileOf('dormant'), keys: plan.widening.dormant_keys });
      expect(rows.length).to.equal(plan.widening.dormant_keys).and.be.greaterThan(0);
      const held = await planned(`--holds ${fileOf('dormant')} --keys ${fileOf('keys')}`, 6);
      expect(held.widening).to.deep.include({ dormant_keys: 0, keys: plan.widening.keys - plan.widening.dormant_keys });
      const outcomes = new Map((await written('keys')).map((row) => [row.key_id, row.outcome]));
      expect(new Set(rows.map((row) => outcomes.get(row.key_id)))).to.deep.equal(new Set(['hold']));
    });

    it('takes the latest use of all duplicates, and leaves the other keys of the account alone', async () => {
      const now = new Date().toISOString();
      await seeded({
        accounts: ['acme'],
        apis: { receipts: 'store', invoices: 'store', forms: 'custom of acme' },
        keys: [
          { id: 1, account: 'acme', api: 'receipts', token: tokenOf('used'), used: '2021-01-01+00' },
          { id: 2, account: 'acme', api: 'invoices', token: tokenOf('used'), used: now },
          { id: 3, account: 'acme', api: 'invoices', used: '2021-01-01+00' },
          { id: 4, account: 'acme', api: 'invoices', used: now },
          { id: 5, account: 'acme', api: 'invoices', revoked: '2021-01-01+00' },
          { id: 6, account: 'acme', api: 'forms' },
          { id: 7, account: 'acme', api: 'invoices' },
        ],
      });
      const plan = await planned(`--dormant ${fileOf('dormant')}`);
      expect((await written('dormant')).map((row) => row.key_id)).to.deep.equal(['3', '7']);
      expect(plan.widening.dormant_keys).to.equal(2);
      const held = await planned(`--holds ${fileOf('dormant')}`);
      expect(held.outcomes).to.include({ hold: 2, move: 3, merge: 1, stay: 1 });
    });

    it('is taken by --holds where an id looks like a formula', async () => {
      await seeded({ accounts: ['acme'], apis: { invoices: 'store' }, keys: [] });
      await scenario.db.query(`
        alter table public.api_keys alter id drop identity;
        alter table public.api_keys alter id type text;
        insert into public.api_keys (id, account_id, api_id, token, created_at)
          select id, 1, 1, gen_random_uuid()::text, now() from unnest('{-abc,=cmd,-5,plain,@at}'::text[]) id`);
      expect((await planned(`--dormant ${fileOf('dormant')}`)).dormant.keys).to.equal(5);
      expect((await written('dormant')).map((row) => row.key_id)).to.have.members([
        "'-abc",
        "'=cmd",
        '-5',
        'plain',
        "'@at",
      ]);
      expect((await planned(`--holds ${fileOf('dormant')}`)).outcomes).to.include({ hold: 5, move: 0 });
    });
  });

  it('hand a spreadsheet no formula and a terminal no control character', async () => {
    await seeded({
      accounts: ['=cmd|x;=1'],
      apis: { invoices: 'store' },
      keys: HOSTILE.map((name) => ({ account: '=cmd|x;=1', api: 'invoices', name })),
    });
    await planned(`--keys ${fileOf('keys')} --dormant ${fileOf('dormant')}`);
    for (const list of ['keys', 'dormant'] as const) {
      expect((await written(list)).length).to.equal(HOSTILE.length);
      const text = await readFile(fileOf(list), 'utf8');
      expect(text).not.to.match(/[^\n\P{Cc}]|[\u202a-\u202e\u2028]/u);
      for (const separator of [',', ';', '\t']) {
        const fields = text.split('\n').flatMap((line) => line.split(separator));
        expect(
          fields.filter((field) => /^[\s"]*(?:[=+@]|-(?!\d+$))/.test(field)),
          separator,
        ).to.deep.equal([]);
      }
    }
  });

  it('go on over many pages, in one snapshot with the plan', async () => {
    await seeded({ accounts: [], apis: {}, keys: [] });
    await plantMany(scenario.db, { keys: 12_345 });
    const plan = await planned(`--keys ${fileOf('keys')} --dormant ${fileOf('dormant')}`);
    const rows = await written('keys');
    expect([rows.length, new Set(rows.map((row) => row.key_id)).size]).to.deep.equal([12_345, 12_345]);
    expect((await written('dormant')).length)
      .to.equal(plan.widening.dormant_keys)
      .and.be.greaterThan(2_000);
  });

  it('refuse one file for two lists, before anything is written', async () => {
    await seeded(MOTLEY);
    const { exitCode, stderr } = await scenario.run(`plan --keys ${fileOf('keys')} --dormant ${fileOf('keys')}`);
    expect([exitCode, stderr]).to.satisfy(([code, text]: [number, string]) => code === 2 && text.includes('--dormant'));
    expect(await stat(fileOf('keys')).catch((error: unknown) => (error as NodeJS.ErrnoException).code)).to.equal(
      'ENOENT',
    );
  });
});
