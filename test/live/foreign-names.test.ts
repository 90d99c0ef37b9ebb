import { expect } from 'chai';
import { onServer, serverUrl } from '../support/database.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { plant } from '../support/seed.js';
import { assertOutcomes } from './sound.js';

/** Functions that fit what keylift calls better than PostgreSQL's own, which take any type, or one that is near. */
const BETTER_FITS: Record<string, string> = {
  'unnest(text[])': 'setof text',
  'unnest(bigint[])': 'setof bigint',
  'unnest(name[])': 'setof name',
  'unnest(integer[])': 'setof integer',
  'cardinality(text[])': 'integer',
  'cardinality(bigint[])': 'integer',
  'to_jsonb(public.api_keys)': 'jsonb',
  'pg_typeof(bigint)': 'regtype',
  'pg_typeof(text)': 'regtype',
  'pg_typeof(timestamptz)': 'regtype',
  'format(text, text)': 'text',
  'format(text, text, text)': 'text',
  'quote_ident(name)': 'text',
  'jsonb_build_object(text, bigint)': 'jsonb',
  'concat(text, text)': 'text',
  'length(name)': 'integer',
  'left(name, integer)': 'text',
  'to_json(text)': 'json',
  'array_length(bigint[], integer)': 'integer',
  'array_append(bigint[], bigint)': 'bigint[]',
  'pg_column_size(text)': 'integer',
};

const AGGREGATES = [
  'count(bigint)',
  'count(text)',
  'array_agg(bigint)',
  'array_agg(text)',
  'json_agg(text)',
  'json_agg(bigint)',
  'min(name)',
  'max(boolean)',
];

/** For a function with these arguments, in a schema of the role's search path: whoever calls it is told. */
const traps = (schema: string): string => `
  create schema if not exists ${schema};
  ${Object.entries(BETTER_FITS)
    .map(
      ([takes, gives]) =>
        `create function ${schema}.${takes} returns ${gives} language plpgsql immutable as $$
          begin raise exception 'trapped: ${takes}'; end $$;`,
    )
    .join('\n')}
  ${AGGREGATES.map((takes, at) => {
    const [, type] = /\((.*)\)/.exec(takes)!;
    return `create function ${schema}.trapped_${String(at)}(bigint, ${type!}) returns bigint language plpgsql as $$
      begin raise exception 'trapped: ${takes}'; end $$;
      create aggregate ${schema}.${takes} (sfunc = ${schema}.trapped_${String(at)}, stype = bigint, initcond = '0');`;
  }).join('\n')}
  create table ${schema}.outcomes (id int); create table ${schema}.runs (id int); create table ${schema}.api_keys_lookalike (id int);`;

const NIGHT: [string, ...number[]][] = [
  ['check'],
  ['plan', 6],
  ['plan --rehearse', 6],
  ['migrate --yes --until backfill', 6],
  ['pause'],
  ['tune --concurrency 1'],
  ['resume'],
  ['migrate --yes --until verify', 6],
  ['switch --yes --cohort 10%'],
  ['switch --yes --all'],
  ['verify'],
  ['status'],
  ['explain 1'],
  ['switch --yes --back'],
  ['switch --yes --all'],
  ['rollback --yes'],
  ['migrate --yes', 6],
  ['finalize --yes'],
  ['verify'],
  ['rollback --yes'],
  ['migrate --yes', 6],
  ['finalize --yes'],
  ['finalize --yes --purge'],
];

/** A scenario whose commands have this search path, as a role's own setting gives it; the test itself stands aside. */
async function on(path: string): Promise<Scenario> {
  const scenario = await Scenario.open({
    through: (database) => `${serverUrl(database)}?options=${encodeURIComponent(`-c search_path=${path}`)}`,
  });
  await onServer((client) => client.query(`alter database ${scenario.db.name} set search_path = pg_catalog`));
  await plant(scenario.db, MOTLEY);
  return scenario;
}

describe("functions of others that fit better than PostgreSQL's own", () => {
  let scenario: Scenario;
  afterEach(() => scenario.close());

  for (const schema of ['public', 'theirs']) {
    it(`in a schema of the search path, ${schema}: no command calls one, from the first look to the purge`, async () => {
      scenario = await on(schema === 'public' ? 'public' : 'theirs,public');
      await scenario.db.query(traps(schema));
      for (const [line, ...codes] of NIGHT) await scenario.must(line, ...codes);
    });
  }

  it("defaults, sequences and expressions that need the operator's search path keep what they mean", async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.db.query(`
      create schema shop;
      create function shop.own_note() returns text language sql as $$ select 'from the shop' $$;
      create function shop.in_store(kind text) returns boolean language sql immutable as $$ select kind = 'store' $$`);
    await onServer((client) => client.query(`alter database ${scenario.db.name} set search_path = shop, public`));
    const there = await scenario.db.connect();
    await there.query(
      `set search_path = shop, public; alter table public.api_keys add column note text default own_note()`,
    );
    const config = await scenario.file(
      'keylift.json',
      JSON.stringify({ legacy: { keys: { carry: ['note'] }, apis: { inStore: { sql: 'in_store(a.kind)' } } } }),
    );
    for (const [line, ...codes] of [['migrate --yes', 6], ['verify'], ['rollback --yes'], ['migrate --yes', 6]] as [
      string,
      ...number[],
    ][]) {
      await scenario.must(`${line} --config ${config}`, ...codes);
    }
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', 'sécret+born')`,
    );
    expect(await scenario.db.query(`select note from public.account_api_keys where name = 'born'`)).to.deep.equal([
      { note: 'from the shop' },
    ]);
  });
});

describe('columns that are called what keylift calls its own variables and facts', () => {
  const NAMES = [
    'touched_ids',
    'touched_tokens',
    'ids',
    'tokens',
    'migration_state',
    'alone',
    'settled',
    'writer',
    'written',
    'outcome',
    'present',
    'involved',
    'own',
    'asked',
    'judging',
    'verdicts',
    'left_for_now',
    'concerned',
    'leaving',
    'joined',
    'set_aside',
    'moving',
    'moved',
    'retokened',
    'attempt',
    'asked_token',
    'asked_api',
    'touched_id',
    'touched_token',
    'several',
    'changed',
    'done',
    // … and what the proof and the plan call their facts of a key.
    'in_store',
    'held',
    'alive',
    'api_known',
    'account_known',
    'has_token',
    'left_behind',
    'has_word',
    'is_twin',
    'word',
    'keys',
    'class',
    'settled_at',
    'carried_0',
  ];

  it('are carried, and every write is mirrored beside them', async () => {
    const scenario = await Scenario.of(MOTLEY);
    try {
      for (const table of ['api_keys', 'apis', 'accounts'])
        await scenario.db.query(
          `alter table public.${table} ${NAMES.map((name) => `add ${name} text default 'theirs'`).join(', ')}`,
        );
      const config = await scenario.file('keylift.json', JSON.stringify({ legacy: { keys: { carry: NAMES } } }));
      await scenario.must(`migrate --yes --config ${config}`, 6);
      for (const change of [
        `update public.api_keys set name = 'renamed' where id = 1`,
        `update public.api_keys set revoked_at = now() where id = 20`,
        `delete from public.api_keys where id = 2`,
        `update public.api_keys set token = 'sécret+turned' where id = 8`,
        `update public.account_api_keys set name = 'in Settings' where id = 9`,
        `insert into public.api_keys (account_id, api_id, name, token, created_at) select account_id, api_id, 'new', t,
          '2022-01-01' from public.api_keys, unnest(array['sécret+new', token]) t where id = 10`,
      ])
        await scenario.db.query(change);
      expect((await scenario.must(`verify --json --config ${config}`, 0)).json()).to.include({ ok: true });
      await assertOutcomes(scenario);
      await scenario.everyPair('all');
      for (const [line, ...codes] of [['finalize --yes'], ['rollback --yes'], ['migrate --yes', 6]] as [
        string,
        ...number[],
      ][])
        await scenario.must(`${line} --config ${config}`, ...codes);
      await assertOutcomes(scenario);
    } finally {
      await scenario.close();
    }
  });
});
