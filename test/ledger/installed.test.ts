import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { openDatabase } from '../../src/database/connect.js';
import { NOTHING_INSTALLED, readInstalled, type Installed } from '../../src/ledger/installed.js';
import { rolesOf } from '../docs/roles.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

/** What is installed after each command; `mirror` and `token index` are there or not. */
const STATIONS: readonly (readonly [string, Partial<Installed>, { mirror: boolean; tokenIndex: boolean }])[] = [
  ['migrate --yes --until expand', { target: true, authorize: true }, { mirror: true, tokenIndex: false }],
  ['migrate --yes --until backfill', { target: true, archive: false }, { mirror: true, tokenIndex: false }],
  ['migrate --yes', { target: true, archive: false }, { mirror: true, tokenIndex: true }],
  ['finalize --yes', { target: true, archive: true }, { mirror: true, tokenIndex: true }],
  ['rollback --yes', { target: true, archive: false, authorize: true }, { mirror: false, tokenIndex: false }],
];

describe('what is installed', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  const look = async (options: { url?: string; visibleOnly?: boolean } = {}): Promise<Installed> => {
    const database = await openDatabase(options.url ?? scenario.db.url, { maxConnections: 1 });
    try {
      return await database.readOnly((session) =>
        readInstalled(session, DEFAULT_SETTINGS, { visibleOnly: options.visibleOnly === true }),
      );
    } finally {
      await database.close();
    }
  };

  it('is nothing in a database that was never migrated', async () => {
    expect(await look()).to.deep.equal(NOTHING_INSTALLED);
  });

  it('is read from the catalog at every station of the way', async () => {
    for (const [line, expected, { mirror, tokenIndex }] of STATIONS) {
      await scenario.must(line, 0, 6);
      const found = await look();
      expect(found, line).to.include({ ledger: true, holds: true, targetNameTaken: false, ...expected });
      expect(found.triggers.length > 0, `${line}: triggers`).to.equal(mirror);
      expect(found.indexes.includes('account_api_keys_token_key'), `${line}: indexes`).to.equal(tokenIndex);
      expect(found).to.be.frozen;
    }
    expect((await look()).state).to.include({ state: 'rolled_back', stage: null });
  });

  it('knows a foreign relation under the name of the new table', async () => {
    await scenario.db.query('create view public.account_api_keys as select 1 as id');
    expect(await look()).to.include({ target: false, targetNameTaken: true });
  });

  it('is what a role can read, where that alone counts; else the server refuses', async () => {
    await scenario.must('migrate --yes', 6);
    const roles = rolesOf(() => scenario.db);
    await roles.make('planner');
    const url = roles.url('planner');
    expect(await look({ url, visibleOnly: true })).to.include({
      state: null,
      ledger: false,
      holds: false,
      target: false,
      archive: false,
      authorize: false,
    });
    expect(await look({ url }).catch((error: unknown) => (error as { code: string }).code)).to.equal('42501');
  });
});
