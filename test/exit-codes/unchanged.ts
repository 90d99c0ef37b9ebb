import { expect } from 'chai';
import { keylift, type Call, type Outcome } from '../cli/harness.js';
import type { TestDatabase } from '../support/database.js';

const OBJECTS = `
  select string_agg(line, E'\\n' order by line) as digest from (
    select 'schema ' || nspname as line from pg_namespace where nspname !~ '^pg_(toast_)?temp'
    union all select 'relation ' || oid::regclass::text || relkind::text from pg_class where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    union all select 'function ' || oid::regprocedure::text from pg_proc where pronamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    union all select 'trigger ' || tgname || ' on ' || tgrelid::regclass::text || tgenabled::text from pg_trigger
    union all select 'constraint ' || conname || convalidated::text from pg_constraint where connamespace <> 'pg_catalog'::regnamespace
  ) lines`;

const TABLES = `select oid::regclass::text as name from pg_class where relkind = 'r'
  and relnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    order by 1`;

/** Everything a command could have changed: objects, and the rows of every table, runs' entries included. */
export async function digest(database: TestDatabase): Promise<string> {
  const [objects] = await database.query<{ digest: string }>(OBJECTS);
  const tables = await database.query<{ name: string }>(TABLES);
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const [row] = await database.query<{ sum: string | null }>(
        `select md5(string_agg(t::text, E'\\n' order by t::text)) as sum from ${name} t`,
      );
      return `${name} ${row?.sum ?? 'empty'}`;
    }),
  );
  return [objects?.digest, ...rows].join('\n');
}

/**
 * Runs a command line that must fail, and holds it to what every refusal owes: no answer, no stack, nothing changed.
 */
export async function refused(database: TestDatabase, line: string, call: Call = {}): Promise<Outcome> {
  const before = await digest(database);
  const outcome = await keylift(line, { ...call, env: { DATABASE_URL: database.url, ...call.env } });
  if (line.includes('--json')) expect(JSON.parse(outcome.stdout), 'stdout').to.have.all.keys('error');
  else expect(outcome.stdout, 'stdout').to.equal('');
  expect(outcome.stderr).to.match(/^keylift: /);
  expect(outcome.stderr, 'a stack trace').not.to.match(/^\s+at .+[:(]\d+|node_modules|\.[jt]s:\d+/m);
  expect(outcome.stderr, 'a bug').not.to.include('unexpected error');
  expect(outcome.stderr, 'the password').not.to.include(decodeURIComponent(new URL(database.url).password));
  expect(await digest(database), 'the database').to.equal(before);
  return outcome;
}
