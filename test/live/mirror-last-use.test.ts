import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';

const LATER = '2026-01-01 00:00:00.000001+00';

describe('the mirror and last use', () => {
  let migrated: Scenario;
  let scenario: Scenario;
  before(async () => {
    migrated = await Scenario.of(MOTLEY);
    await migrated.must('migrate --yes', 6);
  });
  after(() => migrated.close());
  beforeEach(async () => {
    scenario = await migrated.copy();
  });
  afterEach(() => scenario.close());

  const used = async () =>
    (
      await scenario.db.query<{ legacy: string | null; settings: string | null }>(`
    select (select last_used_at::text from public.api_keys where id = 1) as legacy, (select last_used_at::text
      from public.account_api_keys where id = 1) as settings`)
    )[0]!;
  const COMMANDS = [
    'verify',
    'migrate --yes',
    'switch --all --yes',
    'switch --back --yes',
    'finalize --yes',
    'rollback --yes',
  ];
  for (const where of ['api_keys', 'account_api_keys']) {
    for (const command of COMMANDS) {
      it(`in ${where} is caught up by ${command}`, async () => {
        await scenario.db.query(`update public.${where} set last_used_at = '${LATER}' where id = 1`);
        await scenario.must(command, 0, 6);
        const source = command.startsWith('finalize') ? 'keylift.archived_keys' : 'public.api_keys';
        expect(await scenario.db.query(`select last_used_at::text from ${source} where id = 1`)).to.deep.equal([
          { last_used_at: LATER },
        ]);
        if (!command.startsWith('rollback')) expect((await used()).settings).to.equal(LATER);
      });
    }
  }

  it("of merged rows alone is the account key's, the latest of them all", async () => {
    // Key 21 is the account key; nothing but the rows merged into it was used since.
    for (const command of COMMANDS.filter((each) => !each.startsWith('rollback'))) {
      const one = await migrated.copy();
      try {
        await one.db.query(
          `update public.api_keys set last_used_at = case id when 20 then timestamptz '2025-06-01+00' else '${LATER}'
            end where id in (20, 22)`,
        );
        await one.must(command, 0, 6);
        expect(
          await one.db.query('select last_used_at::text from public.account_api_keys where id = 21'),
          command,
        ).to.deep.equal([{ last_used_at: LATER }]);
      } finally {
        await one.close();
      }
    }
  });

  it('that never was is written nowhere', async () => {
    const versions = () =>
      scenario.db.query(
        `select id, xmin, ctid from public.api_keys where last_used_at is null union all select id, xmin, ctid
          from public.account_api_keys where last_used_at is null order by 1`,
      );
    const before = await versions();
    for (const command of ['verify', 'switch --back --yes', 'switch --all --yes', 'migrate --yes'])
      await scenario.must(command, 0, 6);
    expect(await versions()).to.deep.equal(before);
  });

  it('never goes back', async () => {
    await scenario.db.query(`update public.api_keys set last_used_at = '1990-01-01' where id = 1`);
    await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
    await scenario.db.query(`update public.api_keys set last_used_at = '1991-01-01' where id = 1`);
    await scenario.must('verify');
    expect(await used()).to.deep.equal({ legacy: LATER, settings: LATER });
  });

  it('of a merged key is the latest of its rows', async () => {
    await scenario.db.query(`update public.api_keys set last_used_at = '${LATER}' where id = 20`);
    await scenario.must('verify');
    expect(
      await scenario.db.query('select last_used_at::text from public.account_api_keys where id = 21'),
    ).to.deep.equal([{ last_used_at: LATER }]);
  });

  it('survives a key that is held from now on', async () => {
    await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
    await scenario.must(`migrate --yes --holds ${await scenario.file('holds.csv', 'key_id\n1\n')}`, 6);
    expect(await used()).to.deep.equal({ legacy: LATER, settings: null });
  });

  it('of a type that refuses NULL is carried like any other', async () => {
    const strict = await Scenario.of(MOTLEY);
    try {
      await strict.db.query(`
        create domain public.moment as timestamptz not null;
        update public.api_keys set last_used_at = created_at where last_used_at is null;
        alter table public.api_keys alter last_used_at set default now();
        delete from public.api_keys where last_used_at is null;
        alter table public.api_keys alter last_used_at type public.moment`);
      await strict.must('migrate --yes', 6);
      await strict.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
      await strict.db.query(`update public.api_keys set name = 'renamed' where id in (1, 20)`);
      await strict.db.query('delete from public.api_keys where id = 2');
      await strict.must('verify');
      expect(await strict.db.query('select last_used_at::text from public.api_keys where id = 1')).to.deep.equal([
        { last_used_at: LATER },
      ]);
    } finally {
      await strict.close();
    }
  });

  it('survives a row that is no per-API key any more', async () => {
    const narrowed = await Scenario.of(MOTLEY);
    try {
      const { keys } = DEFAULT_SETTINGS.legacy;
      const settings = {
        ...DEFAULT_SETTINGS,
        legacy: { ...DEFAULT_SETTINGS.legacy, keys: { ...keys, where: { sql: `k.name <> 'something else'` } } },
      };
      await narrowed.must(`migrate --yes --config ${await narrowed.file('config.json', JSON.stringify(settings))}`, 6);
      await narrowed.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
      await narrowed.db.query(`update public.api_keys set name = 'something else' where id = 1`);
      expect(
        await narrowed.db.query(
          `select k.last_used_at::text as legacy, t.id as account_key from public.api_keys k left
            join public.account_api_keys t using (id) where k.id = 1`,
        ),
      ).to.deep.equal([{ legacy: LATER, account_key: null }]);
    } finally {
      await narrowed.close();
    }
  });

  for (const [what, sql] of Object.entries({
    'a revocation of one twin': 'update public.api_keys set revoked_at = now() where id = 20',
    'a step to a custom API': 'update public.api_keys set api_id = 4 where id = 21',
  })) {
    it(`survives the account key's end by ${what}`, async () => {
      await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 21`);
      await scenario.db.query(sql);
      await scenario.must('verify');
      expect(
        await scenario.db.query(
          `select max(last_used_at)::text as last from public.api_keys where token = '${tokenOf('twins')}'`,
        ),
      ).to.deep.equal([{ last: LATER }]);
    });
  }
});
