import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

/**
 * Tables of keylift's that a publication would keep from being changed: permanent, and nothing tells their rows apart.
 */
const UNCHANGEABLE = `
  select c.oid::regclass::text as name from pg_class c
  where c.relkind in ('r', 'p') and c.relpersistence = 'p'
    and (c.relnamespace = 'keylift'::regnamespace or c.oid = to_regclass('public.account_api_keys'))
    and (c.relreplident = 'n' or c.relreplident = 'd'
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indisvalid))`;

const COMMANDS = [
  'migrate --until expand --yes',
  'migrate --until backfill --yes',
  'migrate --until harden --yes',
  'migrate --yes --holds $HOLDS',
  'switch --all --back --yes',
  'switch --all --yes',
  'verify',
  'finalize --yes',
  'rollback --yes',
  'migrate --yes --holds $NONE',
  'rollback --yes',
];

describe('a publication FOR ALL TABLES', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  const run = async (command: string): Promise<void> => {
    const holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
    const none = await scenario.file('none.csv', 'key_id\n');
    await scenario.must(command.replace('$HOLDS', holds).replace('$NONE', none), 0, 6);
  };

  it('lets every command do its work, and the legacy rows come back', async () => {
    const before = await scenario.legacyDigest();
    await scenario.db.query('create publication everything for all tables');
    for (const command of COMMANDS) {
      await run(command);
      expect(await scenario.db.query(UNCHANGEABLE), command).to.deep.equal([]);
    }
    expect(await scenario.legacyDigest()).to.equal(before);
  });

  it('may be created while a migration is there', async () => {
    await run('migrate --yes --holds $HOLDS');
    await scenario.db.query('create publication everything for all tables');
    for (const command of ['migrate --yes --holds $NONE', 'finalize --yes', 'rollback --yes']) await run(command);
  });
});
