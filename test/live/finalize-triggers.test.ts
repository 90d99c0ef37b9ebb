import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';

const SHOP: Seed = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
  keys: [
    { id: 1, account: 'acme', api: 'invoices', created: '2021-03-04 05:06:07.123456+00' },
    { id: 2, account: 'acme', api: 'receipts', created: '2021-03-05+00' },
    { id: 3, account: 'acme', api: 'forms' },
    { id: 4, account: 'bert', api: 'receipts', revoked: '2022-01-01+00' },
    // duplicates: 5 is kept, 6 is merged into it
    { id: 5, account: 'bert', api: 'invoices', token: tokenOf('twins'), created: '2021-01-01+00' },
    { id: 6, account: 'bert', api: 'receipts', token: tokenOf('twins'), created: '2021-01-02+00' },
  ],
};

interface Refusal {
  error: { code: string; facts: { triggers: string[] } };
}

/** Function of a trigger that writes down what it saw. */
const NOTE = `
  create table public.seen (what text);
  create function public.note() returns trigger language plpgsql as $$ begin
    insert into public.seen values (tg_name); if tg_op = 'DELETE' then return old; end if; return new; end $$;
  grant all on public.seen to public;`;

describe("the platform's triggers on the rows of finalize and rollback", () => {
  let migrated: Scenario;
  let scenario: Scenario;
  before(async () => {
    migrated = await Scenario.of(SHOP);
    await migrated.must('migrate --yes');
  });
  after(() => migrated.close());
  beforeEach(async () => {
    scenario = await migrated.copy();
  });
  afterEach(() => scenario.close());

  const seen = async (): Promise<string[]> =>
    (await scenario.db.query<{ what: string }>('select what from public.seen order by what')).map(({ what }) => what);
  const trigger = (name: string, when: string, enabled = ''): Promise<unknown> =>
    scenario.db.query(
      `create trigger ${name} ${when} on public.api_keys for each ${name.includes('statement') ? 'statement' : 'row'} execute function public.note();
      ${enabled === '' ? '' : `alter table public.api_keys enable ${enabled} trigger ${name}`}`,
    );
  const refused = async (line: string): Promise<Refusal['error']> => {
    const { exitCode, stdout } = await scenario.run(`${line} --json`);
    expect(exitCode, stdout).to.equal(3);
    return (JSON.parse(stdout) as Refusal).error;
  };
  const dates = () => scenario.db.query('select id::int, created_at::text from public.api_keys order by id');

  it('need a decision where they are on deletes, before anything is changed', async () => {
    await scenario.db.query(NOTE);
    await trigger('deny', 'after delete');
    await trigger('other', 'after update');
    const legacy = await scenario.legacyDigest();
    const { code, facts } = await refused('finalize --yes');
    expect([code, facts.triggers]).to.deep.equal([
      'triggers_need_a_decision',
      ['deny on public.api_keys, AFTER DELETE FOR EACH ROW'],
    ]);
    expect(await scenario.legacyDigest()).to.equal(legacy);
    await scenario.must('finalize --triggers fire --yes');
    expect(await seen()).to.deep.equal(Array(5).fill('deny'));
    await scenario.must('rollback --yes');
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('need a decision on the way back where they are on inserts', async () => {
    await scenario.db.query(NOTE);
    await trigger('welcome', 'after insert');
    const legacy = await scenario.legacyDigest();
    await scenario.must('finalize --yes');
    expect((await refused('rollback --yes')).code).to.equal('triggers_need_a_decision');
    await scenario.must('verify');
    await scenario.must('rollback --triggers skip --yes');
    expect(await seen()).to.deep.equal([]);
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('need none where none fires: on updates, disabled, for replica sessions, of a rollback without an archive', async () => {
    await scenario.db.query(NOTE);
    await trigger('other', 'before update');
    await trigger('off', 'after delete or insert');
    await scenario.db.query('alter table public.api_keys disable trigger off');
    await trigger('replica', 'after delete or insert', 'replica');
    await scenario.must('finalize --yes');
    await scenario.must('rollback --yes');
    await trigger('welcome', 'after insert');
    await scenario.must('migrate --yes');
    await scenario.must('rollback --yes');
    expect(await seen()).to.deep.equal([]);
  });

  for (const key of ['', ' add foreign key (api_id) references public.apis (id),']) {
    for (const enabled of ['', 'always', 'replica']) {
      it(`are all skipped ${key === '' ? '' : 'beside a foreign key, '}enabled ${enabled || 'as usual'}, and enabled as before afterwards`, async () => {
        await scenario.db.query(NOTE);
        await trigger('a', 'before delete or insert', enabled);
        await trigger('b', 'after delete or insert', enabled);
        await trigger('c_statement', 'before delete or insert', enabled);
        await trigger('d_statement', 'after delete or insert', enabled);
        await trigger('usual', 'before delete or insert');
        const states = () =>
          scenario.db.query(
            `select tgname, tgenabled from pg_trigger where tgrelid = 'public.api_keys'::regclass and tgfoid = 'public.note'::regproc order by 1`,
          );
        const [before, legacy] = [await states(), await scenario.legacyDigest()];
        await scenario.db.query(`alter table public.api_keys${key} alter column id set not null`);
        await scenario.must('finalize --triggers skip --yes');
        await scenario.must('rollback --triggers skip --yes');
        expect(await seen()).to.deep.equal([]);
        expect([await states(), await scenario.legacyDigest()]).to.deep.equal([before, legacy]);
      });
    }
  }

  it('that keep rows are a refusal, and the rows stay as they were', async () => {
    await scenario.db.query(`
      create function public.keep() returns trigger language plpgsql as $$ begin
        update public.api_keys set revoked_at = coalesce(revoked_at, now()) where id = old.id; return null; end $$;
      create trigger keep before delete on public.api_keys for each row execute function public.keep()`);
    const legacy = await scenario.legacyDigest();
    const { code, facts } = await refused('finalize --triggers fire --yes');
    expect(code).to.equal('triggers_change_rows');
    expect(facts).to.include({ meant: 5, deleted: 0, archived: 0 });
    expect(await scenario.legacyDigest()).to.equal(legacy);
    await scenario.must('finalize --triggers skip --yes');
    await scenario.must('rollback --yes');
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('that put rows back behind the statement are a refusal', async () => {
    await scenario.db.query(`
      create function public.undo() returns trigger language plpgsql as $$ begin
        insert into public.api_keys overriding system value select old.*; return null; end $$;
      create trigger undo after delete on public.api_keys for each row when (old.id = 2) execute function public.undo()`);
    const { code } = await refused('finalize --triggers fire --yes');
    expect(code).to.equal('triggers_change_rows');
  });

  it('that stamp dates are a refusal on the way back, and skipped they change nothing', async () => {
    await scenario.db.query(`
      create function public.stamp() returns trigger language plpgsql as $$ begin new.created_at := now(); return new; end $$;
      create trigger stamp before insert on public.api_keys for each row execute function public.stamp()`);
    const before = await dates();
    await scenario.must('finalize --yes');
    expect((await refused('rollback --triggers fire --yes')).code).to.equal('triggers_change_rows');
    await scenario.must('rollback --triggers skip --yes');
    expect(await dates()).to.deep.equal(before);
  });

  it('that raise an error are a refusal on the way back', async () => {
    await scenario.db.query(`
      create function public.no() returns trigger language plpgsql as $$ begin raise exception 'no new keys'; end $$;
      create trigger no before insert on public.api_keys for each row execute function public.no()`);
    await scenario.must('finalize --yes');
    expect((await refused('rollback --triggers fire --yes')).code).to.equal('triggers_change_rows');
    await scenario.must('rollback --triggers skip --yes');
  });

  it('are found in each page: one that comes after the first look is not fired without a decision', async () => {
    await scenario.db.query(NOTE);
    await scenario.db.query(`
      create function keylift.late() returns trigger language plpgsql as $$ begin
        create trigger late after delete on public.api_keys for each row execute function public.note(); return null; end $$;
      create trigger zz_late after insert on keylift.events for each row when (new.kind = 'finalize_started') execute function keylift.late()`);
    expect((await refused('finalize --yes')).code).to.equal('triggers_need_a_decision');
    expect(await seen()).to.deep.equal([]);
    await scenario.must('finalize --triggers skip --yes');
    expect(await seen()).to.deep.equal([]);
  });

  it('do not let a cascade pass: a row that references a per-API key by another column keeps it', async () => {
    await scenario.db.query(`
      alter table public.api_keys add unique (id, account_id);
      create table public.usage (key_id bigint, account_id bigint,
        foreign key (key_id, account_id) references public.api_keys (id, account_id) on delete cascade);
      insert into public.usage values (1, 1)`);
    await scenario.db.query(NOTE);
    await trigger('deny', 'after delete');
    for (const decision of ['fire', 'skip']) {
      expect((await refused(`finalize --triggers ${decision} --yes`)).code).to.be.oneOf([
        'foreign_keys_point',
        'preflight',
      ]);
      expect(await scenario.db.query('select * from public.usage')).to.have.length(1);
    }
  });
});

describe('a column that the platform adds while finalize is interrupted', () => {
  it('comes back with all its values, and with its default for the rows that had left before', async () => {
    const scenario = await Scenario.of(SHOP);
    try {
      await scenario.must('migrate --yes');
      await scenario.db.query(`
        create function keylift.fail() returns trigger language plpgsql as $$ begin raise exception 'the server fails here'; end $$;
        create trigger zz_fail after delete on public.api_keys for each statement execute function keylift.fail()`);
      await scenario.must('finalize --yes', 1);
      await scenario.db.query(`
        drop function keylift.fail() cascade;
        insert into keylift.archived_keys select * from public.api_keys where id = 2;
        set session_replication_role = replica; delete from public.api_keys where id = 2; reset session_replication_role;
        alter table public.api_keys add column ip_allowlist text default 'any', add column note varchar(20) collate "C";
        update public.api_keys set ip_allowlist = '10.0.0.0/8', note = 'n' || id`);
      await scenario.must('finalize --yes');
      await scenario.must('verify');
      await scenario.must('rollback --yes');
      expect(
        await scenario.db.query('select id::int, ip_allowlist, note from public.api_keys order by id'),
      ).to.deep.equal([
        ...[1, 2, 3, 4, 5, 6].map((id) =>
          id === 2
            ? { id, ip_allowlist: 'any', note: null }
            : { id, ip_allowlist: '10.0.0.0/8', note: `n${String(id)}` },
        ),
      ]);
    } finally {
      await scenario.close();
    }
  });
});
