import { expect } from 'chai';
import { openDatabase, type Database } from '../../src/database/connect.js';
import { accessMatrix } from '../../src/cases/access-matrix.js';
import { captureAccess, captureSettings } from '../../src/cases/capture.js';
import type { FixtureKey, LegacyRows } from '../../src/cases/fixture.js';
import { createLegacyTables, loadRows } from '../../src/cases/load.js';
import { useTestDatabase } from '../support/database.js';

const APIS: LegacyRows['apis'] = [
  { id: 1, slug: 'invoices', kind: 'store' },
  { id: 2, slug: 'wsnine', kind: 'custom', owner_account_id: 1 },
];
const ACCOUNTS: LegacyRows['accounts'] = [
  { id: 1, kind: 'organization', name: 'Acme Corp' },
  { id: 2, kind: 'user', name: 'Ada' },
];

/** SHA-256 of the token, as `printf %s token-a | sha256sum` says it; not computed by what is tested. */
const FINGERPRINT_OF_TOKEN_A = 'a70bf50e531c';

describe('snapshot/capture', () => {
  const scratch = useTestDatabase({ schema: 'none', each: true });
  let database: Database;

  beforeEach(async () => {
    database = await openDatabase(scratch().url);
  });
  afterEach(() => database.close());

  async function load(keys: FixtureKey[]): Promise<void> {
    await database.transaction(
      async (session) => {
        await createLegacyTables(session);
        await loadRows(session, { accounts: ACCOUNTS, apis: APIS, keys });
      },
      { name: 'test' },
    );
  }

  async function oldAnswers(key: Partial<FixtureKey>): Promise<(string | null)[]> {
    await load([{ id: 7, account_id: 1, api_id: 1, token: 'token-a', created_at: '2020-01-01T00:00:00Z', ...key }]);
    return (await database.readOnly((session) => captureAccess(session, 'old'))).map(({ answer }) => answer);
  }

  const OLD_RULE: { name: string; key: Partial<FixtureKey>; answers: (string | null)[] }[] = [
    { name: 'opens its own API and nothing else', key: {}, answers: ['key 7 of account 1', null] },
    { name: 'opens its own custom API', key: { api_id: 2 }, answers: [null, 'key 7 of account 1'] },
    {
      name: 'shut by a revocation date, a future one included',
      key: { revoked_at: '2999-01-01T00:00:00Z' },
      answers: [null, null],
    },
    { name: 'shut by an expiry that has passed', key: { expires_at: '2001-01-01T00:00:00Z' }, answers: [null, null] },
    {
      name: 'open until an expiry to come',
      key: { expires_at: '2999-01-01T00:00:00Z' },
      answers: ['key 7 of account 1', null],
    },
    { name: 'opens nothing when its API is gone', key: { api_id: 99 }, answers: [null, null] },
    { name: 'works on when its account is gone', key: { account_id: null }, answers: ['key 7 of account NULL', null] },
    { name: 'counts an empty token as a token', key: { token: '' }, answers: ['key 7 of account 1', null] },
    { name: 'leaves a NULL token out', key: { token: null }, answers: [] },
  ];
  for (const { name, key, answers } of OLD_RULE) {
    it(`old rule: ${name}`, async () => {
      expect(await oldAnswers(key)).to.deep.equal(answers);
    });
  }

  it('old rule: of several rows the earliest created answers, then the lowest id, the dead left out', async () => {
    const row = { api_id: 1, token: 'token-a', created_at: '2020-01-02T00:00:00.000001Z' };
    await load([
      { ...row, id: 3, account_id: 1, created_at: '2020-01-01T00:00:00Z', revoked_at: '2020-06-01T00:00:00Z' },
      { ...row, id: 1000, account_id: 2, created_at: '2020-01-02T00:00:00.000000Z' },
      { ...row, id: 999, account_id: 1, created_at: '2020-01-02T00:00:00.000000Z' },
      { ...row, id: 1, account_id: 2 },
    ]);
    const [answer] = await database.readOnly((session) => captureAccess(session, 'old'));
    expect(answer).to.deep.equal({
      fingerprint: FINGERPRINT_OF_TOKEN_A,
      api: 'invoices',
      answer: 'key 999 of account 1',
    });
  });

  it('new rule: asks keylift.authorize, for tokens of either table, and shows every row it returns', async () => {
    await load([{ id: 7, account_id: 1, api_id: 1, token: 'token-a' }]);
    await scratch().query(`
      CREATE TABLE account_api_keys (token text); INSERT INTO account_api_keys VALUES ('token-b');
      CREATE SCHEMA keylift;
      CREATE FUNCTION keylift.authorize(token text, api_id bigint) RETURNS TABLE (key_id bigint, account_id bigint,
        source text)
        LANGUAGE sql AS $$ SELECT v.* FROM (VALUES (7, 1, 'account'), (8, 2, 'per_api')) v
          WHERE token = 'token-b' AND api_id = 1 $$`);
    const answers = await database.readOnly((session) => captureAccess(session, 'new'));
    expect(answers).to.have.length(4);
    expect(answers.map(({ answer }) => answer).filter((answer) => answer !== null)).to.deep.equal([
      'key 7 of account 1 (account), key 8 of account 2 (per_api)',
    ]);
  });

  it('settings: by creation date, in UTC to the microsecond whatever the zone, BC and infinity marked', async () => {
    await load([]);
    await scratch().query(`
      CREATE TABLE account_api_keys (id bigint, account_id bigint, name text, token text,
        scope text DEFAULT 'store_apis',
        origin_api_id bigint, created_at timestamptz, last_used_at timestamptz, revoked_at timestamptz,
          expires_at timestamptz);
      INSERT INTO account_api_keys (id, account_id, name, token, origin_api_id, created_at, last_used_at, revoked_at,
        expires_at) VALUES
        (12, 1, NULL, 'token-a', 1, '2024-03-31T03:00:00.000001+02:00', '12024-01-01T00:00:00Z',
          '0044-03-15T12:00:00Z BC', 'infinity'),
        (9007199254740993, 1, 'born here', 'token-c', NULL, '1969-12-31T23:59:59.999999Z', NULL, NULL, '-infinity'),
        (5, 77, 'of nobody', 'token-d', 99, '2020-01-01T00:00:00Z', NULL, NULL, NULL)`);
    await scratch().query(`ALTER DATABASE ${scratch().name} SET timezone = 'America/New_York'`);
    await database.close();
    database = await openDatabase(scratch().url);
    const settings = await database.readOnly(captureSettings);
    expect(settings.map(({ id, account, keys }) => [id, account?.name, keys.map((key) => key.id)])).to.deep.equal([
      ['1', 'Acme Corp', ['9007199254740993', '12']],
      ['2', 'Ada', []],
      ['77', undefined, ['5']],
    ]);
    expect(settings[0]?.keys[1]).to.deep.equal({
      id: '12',
      name: null,
      fingerprint: FINGERPRINT_OF_TOKEN_A,
      created_at: '2024-03-31T01:00:00.000001Z',
      last_used_at: '12024-01-01T00:00:00.000000Z',
      revoked_at: '0044-03-15T12:00:00.000000Z BC',
      expires_at: 'infinity',
      scope: 'store_apis',
      origin_api: 'invoices',
    });
    expect([settings[0]?.keys[0]?.origin_api, settings[2]?.keys[0]?.origin_api]).to.deep.equal([null, '#99']);
  });
});

describe('snapshot/access-matrix', () => {
  it('joins before and after by token and API; what one side does not know is shut there', () => {
    const matrix = accessMatrix({
      before: [{ fingerprint: 'bb', api: 'invoices', answer: 'key 1 of account 1' }],
      after: [
        { fingerprint: 'bb', api: 'invoices', answer: 'key 1 of account 1 (account)' },
        { fingerprint: 'aa', api: 'invoices', answer: 'key 2 of account 1 (account)' },
      ],
    });
    expect(matrix).to.deep.equal([
      { fingerprint: 'aa', apis: { invoices: { before: null, after: 'key 2 of account 1 (account)' } } },
      {
        fingerprint: 'bb',
        apis: { invoices: { before: 'key 1 of account 1', after: 'key 1 of account 1 (account)' } },
      },
    ]);
  });
});
