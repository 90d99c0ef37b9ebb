import { expect } from 'chai';
import { catalogDigest } from '../support/reader.js';
import { keylift } from '../cli/harness.js';
import { Scenario } from '../support/scenario.js';
import { MOTLEY } from '../support/motley.js';
import { anchorsOf, readDocument } from '../docs/headings.js';
import { askGatesOf, type Change } from './asked.js';

/** What is wrong, the gate that says so, and a word of its way out. */
const GATES: Record<string, { gate: string; wrong: string; wayOut: string; putRight: string }> = {
  'an invalid index is left behind': {
    gate: 'invalid_indexes',
    wayOut: 'REINDEX INDEX CONCURRENTLY',
    wrong: `create index left_behind on public.api_keys (name);
      update pg_index set indisvalid = false where indexrelid = 'public.left_behind'::regclass`,
    putRight: 'drop index public.left_behind',
  },
  'a trigger of keylift is there already': {
    gate: 'triggers',
    wayOut: 'DROP TRIGGER keylift_old ON',
    wrong: `create function public.nothing() returns trigger language plpgsql as $$ begin return new; end $$;
      create trigger keylift_old before insert on public.api_keys for each row execute function public.nothing()`,
    putRight: 'drop function public.nothing() cascade',
  },
  "the new table's name is taken": {
    gate: 'target',
    wayOut: 'another target table',
    wrong: 'create table public.account_api_keys (id int)',
    putRight: 'drop table public.account_api_keys',
  },
  "the new table's name is a view's": {
    gate: 'target',
    wayOut: 'another target table',
    wrong: 'create view public.account_api_keys as select 1 as id',
    putRight: 'drop view public.account_api_keys',
  },
  'key ids are not unique': {
    gate: 'unique_key',
    wayOut: 'add one',
    wrong: 'alter table public.api_keys drop constraint api_keys_pkey',
    putRight: 'alter table public.api_keys add primary key (id)',
  },
  'key ids are unique for some rows only': {
    gate: 'unique_key',
    wayOut: 'add one',
    wrong: `alter table public.api_keys drop constraint api_keys_pkey;
        create unique index for_some on public.api_keys (id) where id > 0`,
    putRight: 'drop index public.for_some; alter table public.api_keys add primary key (id)',
  },
  'API ids are not unique': {
    gate: 'unique_key',
    wayOut: 'add one',
    wrong: 'alter table public.apis drop constraint apis_pkey',
    putRight: 'alter table public.apis add primary key (id)',
  },
  'account ids are not unique': {
    gate: 'unique_key',
    wayOut: 'foreign key',
    wrong: 'alter table public.accounts drop constraint accounts_pkey',
    putRight: 'alter table public.accounts add primary key (id)',
  },
  'the keys are a view': {
    gate: 'key_table',
    wayOut: 'map the table itself',
    wrong:
      'alter table public.api_keys rename to real_keys; create view public.api_keys as select * from public.real_keys',
    putRight: 'drop view public.api_keys; alter table public.real_keys rename to api_keys',
  },
};

/** A right that the operator's role needs, taken away. */
const RIGHTS: Record<string, { revoke: string; names: string }> = {
  'CREATE on the database': {
    revoke: 'revoke create on database $database from $role',
    names: 'CREATE on the database',
  },
  'CREATE on the schema': {
    revoke: 'revoke create on schema public from $role, public',
    names: 'CREATE on the new table',
  },
  'SELECT on the APIs': { revoke: 'revoke select on public.apis from $role', names: 'SELECT on the APIs' },
  'REFERENCES on the accounts': {
    revoke: 'revoke references on public.accounts from $role',
    names: 'REFERENCES on the accounts',
  },
  'ownership of the keys': {
    revoke: 'alter table public.api_keys owner to postgres; grant all on public.api_keys to $role',
    names: 'ownership of the keys table',
  },
};

describe('preflight', () => {
  let scenario: Scenario;
  let role: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    role = `operator_of_${scenario.db.name}`;
  });
  afterEach(() => scenario.close());

  /** The command is refused by this gate, names a way out that the runbook explains, and has changed nothing. */
  const refusedBy = async (gate: string, wayOut: string, url = scenario.db.url): Promise<string> => {
    const [legacy, catalog] = [await scenario.legacyDigest().catch(() => ''), await catalogDigest(scenario.db)];
    const { exitCode, stdout, stderr } = await keylift('migrate --yes', { env: { DATABASE_URL: url } });
    expect([exitCode, stdout], stderr).to.deep.equal([3, '']);
    expect(stderr)
      .to.include(`${gate}: `)
      .and.include(wayOut)
      .and.include('Nothing was changed')
      .and.include(`runbook.md#gate-${gate.replaceAll('_', '-')}`);
    expect(anchorsOf(readDocument('runbook.md'))).to.include(`gate-${gate.replaceAll('_', '-')}`);
    expect([await scenario.legacyDigest().catch(() => ''), await catalogDigest(scenario.db)]).to.deep.equal([
      legacy,
      catalog,
    ]);
    return stderr;
  };

  for (const [what, { gate, wrong, wayOut, putRight }] of Object.entries(GATES)) {
    it(`refuses where ${what}, and lets through once it is put right`, async () => {
      await scenario.db.query(wrong);
      await refusedBy(gate, wayOut);
      await scenario.db.query(putRight);
      await scenario.must('migrate --yes', 6);
    });
  }

  it('names all that stands in the way at once', async () => {
    for (const what of [
      'an invalid index is left behind',
      'a trigger of keylift is there already',
      'account ids are not unique',
    ])
      await scenario.db.query(GATES[what]!.wrong);
    const stderr = await refusedBy('unique_key', 'add one');
    for (const gate of ['unique_key: ', 'triggers: ', 'invalid_indexes: ']) expect(stderr).to.include(gate);
  });

  it('asks again after a rollback, and knows its own table', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    await scenario.db.query(GATES['an invalid index is left behind']!.wrong);
    const { exitCode, stderr } = await scenario.run('migrate --yes');
    expect([exitCode, stderr.includes('invalid_indexes: '), stderr.includes('target: ')]).to.deep.equal([
      3,
      true,
      false,
    ]);
    await scenario.db.query('drop index public.left_behind');
    await scenario.must('migrate --yes', 6);
  });

  describe('of a role of its own', () => {
    beforeEach(async () => {
      await scenario.db.query(`
        create role ${role} login password 'change me';
        grant create on database ${scenario.db.name} to ${role}; grant usage, create on schema public to ${role};
        grant select, references on public.accounts, public.apis to ${role};
        alter table public.api_keys owner to ${role}`);
    });
    afterEach(() =>
      scenario.db.query(
        `alter table public.api_keys owner to postgres; drop owned by ${role} cascade; drop role ${role}`,
      ),
    );
    const url = () => {
      const at = new URL(scenario.db.url);
      [at.username, at.password] = [role, encodeURIComponent('change me')];
      return at.href;
    };

    it('lets through what has the rights', async () => {
      const { exitCode, stderr } = await scenario.run('migrate --yes', { url: url() });
      expect(exitCode, stderr).to.equal(6);
    });

    for (const [right, { revoke, names }] of Object.entries(RIGHTS)) {
      it(`refuses without ${right}`, async () => {
        await scenario.db.query(revoke.replaceAll('$role', role).replaceAll('$database', scenario.db.name));
        const [legacy, catalog] = [await scenario.legacyDigest(), await catalogDigest(scenario.db)];
        const { exitCode, stderr } = await scenario.run('migrate --yes', { url: url() });
        // A table that cannot even be read shows while the mapping is looked at.
        expect(exitCode, stderr).to.equal(3);
        expect(stderr, stderr).to.match(/runbook\.md#(gate-rights|roles)/);
        if (right !== 'SELECT on the APIs') expect(stderr).to.include('rights: ').and.include(names);
        expect([await scenario.legacyDigest(), await catalogDigest(scenario.db)]).to.deep.equal([legacy, catalog]);
      });
    }

    it('refuses where row-level security hides keys from the role', async () => {
      await scenario.db.query('alter table public.accounts enable row level security');
      await refusedBy('row_security', 'BYPASSRLS', url());
    });
  });

  describe('gates that a test cannot bring about', () => {
    const ask = (change: Change, host?: string) =>
      askGatesOf(scenario.db.url, { change, ...(host === undefined ? {} : { host }) });
    const none = () => ({});

    it('say nothing here', async () => {
      expect(await ask(none)).to.deep.equal([]);
    });

    it('version', async () => {
      const [said, ...others] = await ask((sql) =>
        sql.includes('server_version_num') ? { row: { version: 130_011, name: '13.11' } } : {},
      );
      expect([said?.gate, others]).to.deep.equal(['version', []]);
      expect(said?.text).to.include('13.11').and.include('PostgreSQL 14');
    });

    it('standby', async () => {
      const [said, ...others] = await ask((sql) =>
        sql.includes('pg_is_in_recovery') ? { row: { standby: true } } : {},
      );
      expect([said?.gate, others]).to.deep.equal(['standby', []]);
      expect(said?.text).to.include('primary');
    });

    it('long transactions', async () => {
      const client = await scenario.db.connect();
      await client.query(`set application_name = 'nightly report'; begin; select from public.api_keys`);
      const aged = (sql: string) => (sql.includes('xact_start') ? { values: [0] } : {});
      const said = await ask(aged);
      expect(said.map(({ gate }) => gate)).to.deep.equal(['long_transactions']);
      expect(said[0]!.text).to.include('nightly report').and.include('end it');
      await client.query('commit');
      expect(await ask(aged)).to.deep.equal([]);
    });

    it('disk', async () => {
      const full = (sql: string) =>
        sql.includes('pg_total_relation_size') ? { row: { bytes: '1000000000000000' } } : {};
      const said = await ask(full, '127.0.0.1');
      expect(said.map(({ gate }) => gate)).to.deep.equal(['disk']);
      expect(said[0]!.text).to.include('GB').and.include('make room');
      expect(await ask(full, 'db.example.com'), "another machine's disk is not seen").to.deep.equal([]);
    });
  });

  it("refuses a second operator's command while a run is at work, and names it", async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(`
      with run as (insert into keylift.runs (command, host, pid, version, lease_until)
        values ('migrate', 'another-machine', 4711, '0.1.0', clock_timestamp() + interval '1 h') returning run_id)
      update keylift.control set owner = run.run_id, owned_until = clock_timestamp() + interval '1 h' from run`);
    const beat = setInterval(() => {
      void scenario.db.query('update keylift.runs set heartbeat_at = clock_timestamp() where pid = 4711');
    }, 50);
    try {
      for (const command of ['switch --back --yes', 'rollback --yes', 'finalize --yes']) {
        const { exitCode, stderr } = await scenario.run(command);
        expect(
          [exitCode, stderr.includes('another-machine'), stderr.includes('runbook.md#another-run')],
          stderr,
        ).to.deep.equal([3, true, true]);
      }
    } finally {
      clearInterval(beat);
    }
    await scenario.everyPair('all');
  });

  it('names every column of the mapping that is not there, exit 2', async () => {
    await scenario.db.query(
      'alter table public.api_keys rename column token to secret; alter table public.apis rename column slug to path',
    );
    const catalog = await catalogDigest(scenario.db);
    const { exitCode, stderr } = await keylift('migrate --yes', { env: { DATABASE_URL: scenario.db.url } });
    expect(exitCode, stderr).to.equal(2);
    expect(stderr).to.include('token').and.include('slug');
    expect(await catalogDigest(scenario.db)).to.equal(catalog);
  });
});
