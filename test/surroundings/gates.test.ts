import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { anchorsOf, readDocument } from '../docs/headings.js';
import { MOTLEY } from '../support/motley.js';
import { catalogDigest } from '../support/reader.js';
import { Scenario } from '../support/scenario.js';

interface Finding {
  kind: string;
  object: string;
  severity: string;
  gate: string | null;
  phases: string[];
  way_out: string | null;
}
interface Report {
  ok: boolean;
  faults: { kind: string; problem: string; way_out: string }[];
  surroundings: Finding[];
}

/** What is around the tables, the gate that refuses expand for it, and how it is put right. */
const BEFORE_EXPAND: Record<string, { wrong: string; gate: string; putRight: string }> = {
  'a rule that logs deletes': {
    wrong: `create table public.gone (id bigint); create rule log as on delete to public.api_keys do also insert into public.gone values (old.id)`,
    gate: 'rules',
    putRight: 'drop rule log on public.api_keys',
  },
  'a rule that keeps rows': {
    wrong: 'create rule keep as on delete to public.api_keys where old.id = 7 do instead nothing',
    gate: 'rules',
    putRight: 'drop rule keep on public.api_keys',
  },
  'published keys without a replica identity': {
    wrong: `alter table public.api_keys drop constraint api_keys_pkey; create unique index api_keys_id on public.api_keys (id);
      create publication changes for table public.api_keys`,
    gate: 'replica_identity',
    putRight: 'alter table public.api_keys replica identity full',
  },
  'a database that makes every session a replica': {
    wrong: `do $$ begin execute format('alter database %I set session_replication_role = replica', current_database()); end $$`,
    gate: 'replica_sessions',
    putRight: `do $$ begin execute format('alter database %I reset session_replication_role', current_database()); end $$`,
  },
};

describe('gates of the surroundings', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  const check = async (exitCode: number): Promise<Report> => {
    const ended = await keylift('check --json', { env: { DATABASE_URL: scenario.db.url } });
    expect(ended.exitCode, ended.stdout + ended.stderr).to.equal(exitCode);
    return JSON.parse(ended.stdout) as Report;
  };

  /** The command is refused by this gate, leads to its section of the runbook, and has changed nothing. */
  const refused = async (line: string, gate: string): Promise<void> => {
    const before = [await scenario.legacyDigest(), await catalogDigest(scenario.db)];
    const { exitCode, stdout, stderr } = await scenario.run(line);
    expect([exitCode, stdout], stderr).to.deep.equal([3, '']);
    const anchor = `gate-${gate.replaceAll('_', '-')}`;
    expect(stderr).to.include(`${gate}: `).and.include(`runbook.md#${anchor}`).and.include('Nothing was changed');
    expect(anchorsOf(readDocument('runbook.md'))).to.include(anchor);
    expect([await scenario.legacyDigest(), await catalogDigest(scenario.db)]).to.deep.equal(before);
  };

  for (const [what, { wrong, gate, putRight }] of Object.entries(BEFORE_EXPAND)) {
    it(`check tells ${what}, plan lists it, migrate refuses it, and lets it through once it is put right`, async () => {
      await scenario.db.query(wrong);
      const { faults, surroundings } = await check(2);
      expect(faults.map(({ kind }) => kind)).to.deep.equal(['surroundings']);
      expect(faults[0]!.way_out).to.be.a('string');
      expect(surroundings[0]).to.deep.include({ severity: 'gate', gate });
      const plan = (await scenario.must('plan --json', 6)).json<{ surroundings: Finding[] }>();
      expect(plan.surroundings[0]).to.deep.equal(surroundings[0]);
      expect((await scenario.must('plan', 6)).stdout).to.match(/^Around the tables: 1 gate, /m);
      await refused('migrate --yes', gate);
      await scenario.db.query(putRight);
      await check(0);
      await scenario.must('migrate --yes', 6);
    });
  }

  describe('of finalize', () => {
    beforeEach(() => scenario.must('migrate --yes', 6));

    const deny = (events: string): Promise<unknown> =>
      scenario.db.query(`
        create function public.deny() returns trigger language plpgsql as 'begin return null; end';
        create trigger deny after ${events} on public.api_keys for each row execute function public.deny()`);

    it('refuse while a trigger of the platform fires on deletes, and not once it is disabled', async () => {
      await deny('delete or update');
      expect((await check(0)).surroundings[0]).to.deep.include({ gate: 'delete_triggers', phases: ['finalize'] });
      await refused('finalize --yes', 'delete_triggers');
      await scenario.db.query('alter table public.api_keys disable trigger deny');
      await scenario.must('finalize --yes');
      await scenario.must('verify');
    });

    it('let a trigger on updates and inserts pass, and refuse the rollback for the one on inserts', async () => {
      await deny('update or insert');
      await scenario.must('finalize --yes');
      await refused('rollback --yes', 'insert_triggers');
      await scenario.db.query('alter table public.api_keys disable trigger deny');
      await scenario.must('rollback --yes');
    });

    it('let a rollback pass a trigger on inserts while there is no archive', async () => {
      await deny('insert or delete');
      await scenario.must('rollback --yes');
    });

    /** A table whose rows reference a moved key and a custom one, in this way. */
    const reference = (unique: string, columns: string, values: string): Promise<unknown> =>
      scenario.db.query(`
        ${unique}
        create table public.calls (key_id bigint, account_id bigint, no bigint,
          constraint calls_key ${columns} on delete cascade);
        insert into public.calls (key_id, account_id, no) ${values}`);

    for (const [shape, make] of Object.entries({
      'over two columns': (id: number) =>
        reference(
          'alter table public.api_keys add unique (id, account_id);',
          'foreign key (key_id, account_id) references public.api_keys (id, account_id)',
          `select id, account_id, null from public.api_keys where id = ${String(id)}`,
        ),
      'to another unique column': (id: number) =>
        reference(
          'alter table public.api_keys add column no bigint; update public.api_keys set no = id + 1000; alter table public.api_keys add unique (no);',
          'foreign key (no) references public.api_keys (no)',
          `select null, null, no from public.api_keys where id = ${String(id)}`,
        ),
    })) {
      it(`refuse while a row references a key that moves ${shape}`, async () => {
        await make(1);
        await refused('finalize --yes', 'references');
        expect(await scenario.db.query('select from public.calls')).to.have.length(1);
        await scenario.db.query('alter table public.calls drop constraint calls_key');
        await scenario.must('finalize --yes');
      });

      it(`let a row pass that references a key that stays ${shape}`, async () => {
        await make(3);
        await scenario.must('finalize --yes');
        expect(await scenario.db.query('select from public.calls')).to.have.length(1);
      });
    }

    it('refuse a merged row that is referenced over two columns', async () => {
      await reference(
        'alter table public.api_keys add unique (id, account_id);',
        'foreign key (key_id, account_id) references public.api_keys (id, account_id)',
        'select id, account_id, null from public.api_keys where id = 20',
      );
      await refused('finalize --yes', 'references');
    });

    it('refuse a rollback that would take referenced account keys along', async () => {
      await scenario.db.query(`
        alter table public.account_api_keys add unique (id, account_id);
        create table public.calls (key_id bigint, account_id bigint,
          constraint calls_key foreign key (key_id, account_id) references public.account_api_keys (id, account_id) on delete cascade);
        insert into public.calls select id, account_id from public.account_api_keys where id = 1`);
      await refused('rollback --yes', 'references');
      await scenario.db.query('alter table public.calls drop constraint calls_key');
      await scenario.must('rollback --yes');
      expect(await scenario.db.query('select from public.calls')).to.have.length(1);
    });
  });

  describe('of a role of its own', () => {
    const role = () => `keeper_of_${scenario.db.name}`;
    const url = () => {
      const at = new URL(scenario.db.url);
      [at.username, at.password] = [role(), 'keeps-keys'];
      return at.href;
    };
    beforeEach(() =>
      scenario.db.query(`
        create role ${role()} login password 'keeps-keys';
        grant create on database ${scenario.db.name} to ${role()}; grant usage, create on schema public to ${role()};
        grant select, references on public.accounts, public.apis to ${role()};
        alter table public.api_keys owner to ${role()}`),
    );
    afterEach(() =>
      scenario.db.query(
        `alter table public.api_keys owner to postgres; drop owned by ${role()} cascade; drop role ${role()}`,
      ),
    );

    it('refuse finalize where row-level security hides rows that reference keys', async () => {
      await scenario.db.query(`
        create table public.calls (key_id bigint references public.api_keys on delete cascade);
        grant select on public.calls to ${role()};
        alter table public.calls enable row level security`);
      const asRole = (line: string) => scenario.run(line, { url: url() });
      expect((await asRole('migrate --yes')).exitCode).to.equal(6);
      const { exitCode, stderr } = await asRole('finalize --yes');
      expect([exitCode, stderr.includes('#gate-hidden-references')], stderr).to.deep.equal([3, true]);
      await scenario.db.query('alter table public.calls disable row level security');
      expect((await asRole('finalize --yes')).exitCode).to.equal(0);
    });

    it('refuse a run where too few connections are free, and let it through with enough', async () => {
      await scenario.db.query(`alter role ${role()} connection limit 3`);
      const { exitCode, stderr } = await scenario.run('migrate --yes', { url: url() });
      expect([exitCode, stderr.includes('#gate-connections')], stderr).to.deep.equal([3, true]);
      await scenario.db.query(`alter role ${role()} connection limit 7`);
      const through = await scenario.run('migrate --yes', { url: url() });
      expect(through.exitCode, through.stderr).to.equal(6);
    });
  });
});
