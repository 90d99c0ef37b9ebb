import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

describe('errors of the database', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  const withKeys = async (command: string, values: object) => {
    const config = await scenario.file('shop.json', JSON.stringify({ legacy: { keys: values } }));
    return { config, ...(await scenario.run(`${command} --config ${config}`)) };
  };

  it('point into the expressions of the configuration, all at once', async () => {
    const { exitCode, stderr, config } = await withKeys('plan', {
      name: { sql: 'upper(k.nam)' },
      where: { sql: "k.revoked_at IS NULL\n  AND k.id > 'none'" },
      createdAt: { sql: 'k.created_at +' },
    });
    expect([exitCode, stderr]).to.deep.equal([
      2,
      `keylift: ${config} does not fit this database:
  legacy.keys.name: column k.nam does not exist (Perhaps you meant to reference the column "k.name".)
      upper(k.nam)
            ^
  legacy.keys.createdAt: syntax error at or near ")"
      k.created_at +
                    ^
  legacy.keys.where: a value does not have the form that its type or a function requires (SQLSTATE 22P02)
      AND k.id > 'none'
                 ^
  sqlstate: 42601
  Correct the types and the { "sql": … } expressions of the configuration; nothing was changed.
  see runbook.md#mapping (code mapping_invalid)
`,
    ]);
  });

  it('point into them in check, too, as text and as numbers', async () => {
    const { exitCode, stdout, config } = await withKeys('check', {
      expiresAt: { sql: "k.expires_at + interval '1 day' * k.nothing" },
    });
    expect([exitCode, stdout]).to.deep.equal([
      2,
      `${config} does not fit this database: 1 fault
  legacy.keys.expiresAt: column k.nothing does not exist
      k.expires_at + interval '1 day' * k.nothing
                                        ^

`.replace(/\n\n$/, '\n'),
    ]);
    const { faults } = (await scenario.run(`check --json --config ${config}`)).json<{ faults: { place: unknown }[] }>();
    expect(faults.map(({ place }) => place)).to.deep.equal([
      { line: "k.expires_at + interval '1 day' * k.nothing", column: 35 },
    ]);
  });

  it('name the constraint, its table and what was being done', async () => {
    await scenario.db.query(`update public.api_keys set token = token || id`);
    await scenario.must('migrate --yes --until expand', 0, 6);
    await scenario.db.query('alter table public.account_api_keys add constraint short_names check (length(name) < 0)');
    const { exitCode, stderr } = await scenario.run('migrate --yes --until backfill');
    expect(exitCode, stderr).to.equal(1);
    expect(stderr)
      .to.include('violates check constraint "short_names"')
      .and.include('  sqlstate: 23514\n  transaction: backfill: copy a batch\n  statement: copying a batch\n')
      .and.include('\n  table: account_api_keys\n')
      .and.include('\n  constraint: short_names\n')
      .and.not.include('Failing row');
  });

  it('name the step of DDL', async () => {
    await scenario.must('migrate --yes --until backfill', 0, 6);
    await scenario.db.query(`create function public.no_index() returns event_trigger language plpgsql as $$
        begin raise 'not now' using errcode = 'XX000'; end $$;
      create event trigger no_index on ddl_command_start when tag in ('CREATE INDEX')
        execute function public.no_index()`);
    const { exitCode, stderr } = await scenario.run('migrate --yes --until harden');
    expect(exitCode, stderr).to.equal(1);
    expect(stderr)
      .to.include('\n  sqlstate: XX000\n  statement: the step 07_indexes\n')
      .and.match(/\n {2}function: (public\.)?no_index\(\)\n/)
      .and.include('(code database_error)');
  });

  it('tell the sentence of a statement that Knex ran apart from the statement', async () => {
    await scenario.db
      .query(`create function public.looks_up() returns event_trigger language plpgsql as $$ begin perform
        from public.gone; end $$;
      create event trigger looks_up on ddl_command_start when tag in ('CREATE SCHEMA')
        execute function public.looks_up()`);
    const { exitCode, stderr } = await scenario.run('migrate --yes');
    expect([exitCode, stderr.slice(stderr.indexOf('keylift: '))]).to.deep.equal([
      2,
      `keylift: the database lacks an object: relation "public.gone" does not exist
  sqlstate: 42P01
  statement: DO $do$ DECLARE other text; BEGIN IF …
  Compare the tables and columns in keylift.config.json with the database: keylift check names all that are \
missing. If an object in the schema keylift was dropped, restore it.
  see runbook.md#mapping (code object_missing)
`,
    ]);
  });

  it("point into a statement of keylift's own", async () => {
    await scenario.must('migrate --yes --until verify', 0, 6);
    await scenario.db.query('alter table keylift.switch_rule rename column cohorts to squads');
    const { exitCode, stderr } = await scenario.run('switch --cohort 10% --yes');
    expect(exitCode, stderr).to.equal(2);
    expect(stderr).to.match(
      /\n {2}sqlstate: 42703\n {2}transaction: switch: change the rule\n {2}statement: .+\n {2}place:\n {4}.*cohorts.*\n {4} *\^\n/,
    );
  });

  it('name the table that may not be read, and the way out', async () => {
    await scenario.must('migrate --yes', 0, 6);
    const role = `nobody_of_${scenario.db.name}`;
    const url = new URL(scenario.db.url);
    [url.username, url.password] = [role, 'looks-in-vain'];
    await scenario.db.query(
      `create role ${role} login password 'looks-in-vain'; grant select on all tables in schema public to ${role}`,
    );
    try {
      const { exitCode, stderr } = await scenario.run('status', { url: url.href });
      expect(exitCode, stderr).to.equal(3);
      expect(stderr)
        .to.match(
          /^keylift: the database refused: permission denied for schema keylift\n {2}sqlstate: 42501\n {2}statement: .+\n/,
        )
        .and.include('see runbook.md#database (code permission_denied)');
    } finally {
      await scenario.db.query(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
