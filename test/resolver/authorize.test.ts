import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { STATIONS } from '../support/stations.js';
import { tokenOf, type KeySeed, type Seed } from '../support/seed.js';

const SMALL: Omit<Seed, 'keys'> = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
};

describe('keylift.authorize', () => {
  let scenario: Scenario | undefined;
  const plantKeys = async (...keys: KeySeed[]) => (scenario = await Scenario.of({ ...SMALL, keys }));
  afterEach(() => scenario?.close());

  it('answer by the rules for every token and API, between any two stages', async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    const holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
    for (const [command, switched] of STATIONS) {
      await scenario.must(command.startsWith('migrate') ? `${command} --holds ${holds}` : command, 0, 6);
      expect(await scenario.everyPair(switched), command).to.be.greaterThan(200);
    }
  });

  it('answer by account while cohorts are mixed', async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await scenario.must(
      `migrate --yes --until verify --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`,
      6,
    );
    const list = async (...ids: number[]) =>
      scenario!.file(`accounts-${ids.join('-')}.csv`, ['account_id', ...ids, ''].join('\n'));
    for (const [command, ids] of [
      [`switch --accounts ${await list(1)} --yes`, ['1']],
      [`switch --accounts ${await list(3, 5)} --yes`, ['1', '3', '5']],
      [`switch --accounts ${await list(1)} --back --yes`, ['3', '5']],
      [`switch --accounts ${await list(1, 2)} --yes`, ['1', '2', '3', '5']],
      ['switch --back --yes', []],
    ] as const) {
      await scenario.must(command);
      await scenario.everyPair(new Set(ids));
    }
  });

  it('agree with the proof while cohorts are mixed', async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await scenario.must(
      `migrate --yes --until verify --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`,
      6,
    );
    for (const command of ['switch --cohort 50% --yes', 'switch --all --yes']) {
      await scenario.must(command);
      expect((await scenario.must('verify --json')).json()).to.include({ ok: true });
    }
  });

  it('know nothing of a token that is NULL, empty or unknown, nor of an API that is not there', async () => {
    const { db } = await plantKeys(
      { account: 'acme', api: 'invoices', token: tokenOf('known') },
      { account: 'acme', api: 'invoices', token: null },
    );
    for (const command of ['migrate --yes --until expand', 'migrate --yes']) {
      await scenario!.must(command, 0, 6);
      for (const [token, api] of [
        [null, 1],
        ['', 1],
        ['unknown', 1],
        [tokenOf('known'), 77],
      ] as const) {
        expect(await scenario!.authorize(token, api), `${String(token)} ${String(api)}`).to.deep.equal([]);
      }
      expect(await db.query('select from keylift.authorize($1, null)', [tokenOf('known')])).to.deep.equal([]);
    }
  });

  it('answer for a row without a token as before: it goes on as a per-API key, and never opens more', async () => {
    await plantKeys({ account: 'acme', api: 'invoices', token: '' }, { account: 'acme', api: 'forms', token: '' });
    for (const command of ['migrate --yes --until expand', 'migrate --yes', 'rollback --yes']) {
      await scenario!.must(command, 0, 6);
      for (const api of [1, 2, 3]) {
        const before = await scenario!.db.query(
          `select id::text as key_id, account_id::text, 'per_api' as source from public.api_keys
            where token = '' and api_id = ${String(api)}`,
        );
        expect(await scenario!.authorize('', api), `${command}, API ${String(api)}`).to.deep.equal(before);
      }
    }
  });

  for (const [what, keys, opener] of [
    ['a moved key, then one whose account is gone', [{ api: 'invoices' }, { account: 'nobody', api: 'invoices' }], '1'],
    ['a moved key, then one without a creation date', [{ api: 'invoices' }, { api: 'invoices', created: null }], '1'],
    ['one whose account is gone, then a moved key', [{ account: 'nobody', api: 'invoices' }, { api: 'invoices' }], '1'],
    [
      'a merged key, then one whose account is gone',
      [{ api: 'receipts' }, { api: 'invoices' }, { account: 'nobody', api: 'invoices' }],
      '1',
    ],
    [
      'one whose account is gone, then a merged key',
      [{ api: 'receipts' }, { account: 'nobody', api: 'invoices' }, { api: 'invoices' }],
      '2',
    ],
  ] as const) {
    it(`answer as before where one token and API have ${what}`, async () => {
      await plantKeys(...keys.map((key) => ({ account: 'acme', token: tokenOf('both'), ...key })));
      for (const [command, switched] of [
        ['migrate --yes --until verify', 'none'],
        ['migrate --yes', 'all'],
      ] as const) {
        await scenario!.must(command, 6);
        expect((await scenario!.authorize(tokenOf('both'), 1))[0], command).to.include({
          key_id: switched === 'none' && opener === '1' && keys.length === 3 ? '2' : opener,
        });
        await scenario!.everyPair(switched);
        await scenario!.everyView(switched);
        expect((await scenario!.must('verify --json')).json()).to.include({ ok: true });
      }
    });
  }

  it('open a key born in Settings for the store at once, at every station, and never for a custom API', async () => {
    scenario = await Scenario.of(MOTLEY);
    let born = 0;
    for (const [command, switched] of STATIONS) {
      await scenario.must(command, 0, 6);
      born += 1;
      const [key] = await scenario.db.query<{ id: string }>(
        'insert into public.account_api_keys (account_id, name, token) values (4, $1, $2) returning id::text',
        [`born ${String(born)}`, tokenOf(`born ${String(born)}`)],
      );
      for (const api of [1, 2, 3]) {
        expect(await scenario.authorize(tokenOf(`born ${String(born)}`), api), command).to.deep.equal([
          { key_id: key!.id, account_id: '4', source: 'account' },
        ]);
      }
      await scenario.everyPair(switched);
    }
    expect(await scenario.settings(4)).to.have.length(STATIONS.length);
    expect((await scenario.must('verify --json')).json()).to.include({ ok: true });
  });

  it('open an API of the store that is added later, and close one that leaves it', async () => {
    await plantKeys({ account: 'acme', api: 'invoices' }, { account: 'bert', api: 'forms' });
    await scenario!.must('migrate --yes');
    await scenario!.db.query(
      `insert into public.apis (id, slug, name, kind) values (9, 'next-year', 'Next year', 'store')`,
    );
    expect(await scenario!.authorize(tokenOf(1), 9)).to.deep.equal([
      { key_id: '1', account_id: '1', source: 'account' },
    ]);
    expect(await scenario!.authorize(tokenOf(2), 9)).to.deep.equal([]);
    await scenario!.db.query(`update public.apis set kind = 'custom' where id = 9`);
    expect(await scenario!.authorize(tokenOf(1), 9)).to.deep.equal([]);
  });

  it('shut a key whose expiry comes, in both tables, without anybody writing', async () => {
    await plantKeys({ account: 'acme', api: 'invoices' });
    await scenario!.must('migrate --yes');
    for (const [switchCommand, source] of [
      ['switch --back --yes', 'per_api'],
      ['switch --all --yes', 'account'],
    ] as const) {
      await scenario!.must(switchCommand);
      await scenario!.db.query(`update public.api_keys set expires_at = now() + interval '1 hour'`);
      expect(await scenario!.authorize(tokenOf(1), 1)).to.deep.equal([{ key_id: '1', account_id: '1', source }]);
      await scenario!.db.query(`update public.api_keys set expires_at = now()`);
      expect(await scenario!.authorize(tokenOf(1), 1)).to.deep.equal([]);
    }
  });

  // Seen on Debian's PostgreSQL 15: a plan without an index gets the cost of a disabled scan, and was compiled at each
  // call.
  it('are never compiled where a scan is disabled, nor is what the mirror does', async () => {
    await plantKeys({ account: 'acme', api: 'invoices' });
    await scenario!.must('migrate --yes');
    const functions = await scenario!.db.query<{ name: string; compiled: boolean }>(`
      select proname as name, not 'jit=off' = any (proconfig) as compiled from pg_proc
      where pronamespace = 'keylift'::regnamespace and 'enable_seqscan=off' = any (proconfig) order by 1`);
    expect(functions).to.deep.equal(
      [
        'authorize',
        'crowded_tokens',
        'mirror_one_delete',
        'mirror_one_insert',
        'mirror_one_update',
        'new_table_may_refuse',
        'settle',
        'settle_few',
        'settle_or_except',
      ].map((name) => ({ name, compiled: false })),
    );
  });

  it('are closed to everybody but those who are granted them', async () => {
    await plantKeys({ account: 'acme', api: 'invoices' });
    await scenario!.must('migrate --yes');
    const [rights] = await scenario!.db.query(`
      select has_schema_privilege('public', 'keylift', 'usage') as schema,
        has_function_privilege('public', 'keylift.authorize(text, bigint)', 'execute') as function`);
    expect(rights).to.deep.equal({ schema: false, function: false });
  });
});
