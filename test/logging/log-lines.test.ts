import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { WAIT_KINDS } from '../../src/database/waiting.js';
import { LOG_EVENTS } from '../../src/logging/events.js';
import { readDocument } from '../docs/headings.js';
import { foundInSources } from '../docs/sent.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';

interface Schema {
  properties: Record<string, { enum?: string[] }>;
  allOf: { if: { properties: { event: { const: string } } }; then: { required?: string[] } }[];
}

type Line = Record<string, unknown> & { event: string; message: string };

const schema = JSON.parse(readFileSync(path.join(packageRoot(), 'schemas/log-line.schema.json'), 'utf8')) as Schema;
const validate = new Ajv({ strict: true, strictRequired: false, allErrors: true }).compile(schema);

/** All lines of a log, each held against the schema. */
function linesOf(text: string): Line[] {
  expect(text.endsWith('\n'), 'it ends with a line').to.equal(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const read = JSON.parse(line) as Line;
      expect(validate(read), `${line}\n${JSON.stringify(validate.errors)}`).to.equal(true);
      return read;
    });
}

/** Of one event, without what every line has. */
const of = (lines: readonly Line[], event: string): Line[] => lines.filter((line) => line.event === event);

describe('the log file', () => {
  const KEYS = 400;
  const POISON = 303; // a key of a store API
  let scenario: Scenario;
  let log: string;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    log = await scenario.file('keylift.log', '');
  });
  afterEach(() => scenario.close());

  const read = async (): Promise<Line[]> => {
    const text = readFileSync(log, 'utf8');
    await scenario.assertNoSecrets(text);
    return linesOf(text);
  };

  it('tells a whole migration: run, stages, every batch with its range, rows and time', async () => {
    await scenario.must(`migrate --yes --batch-size 20 --log-file ${log}`);
    const lines = await read();
    const [run] = await scenario.db.query<{ run_id: string }>('select run_id from keylift.runs');
    expect(
      lines.map(({ event }) => event).filter((event) => ['command', 'run', 'stage', 'ended'].includes(event)),
    ).to.deep.equal(['command', 'run', 'stage', 'stage', 'stage', 'stage', 'stage', 'ended']);
    expect(of(lines, 'stage_done').map(({ stage }) => stage)).to.deep.equal([
      'expand',
      'backfill',
      'harden',
      'verify',
      'switch',
    ]);
    expect(of(lines, 'ended')).to.have.length(1);
    expect(of(lines, 'ended')[0]).to.include({ exit_code: 0 });
    const afterRun = lines.slice(lines.findIndex(({ event }) => event === 'run'));
    expect(new Set(afterRun.map(({ run_id }) => run_id))).to.deep.equal(new Set([run!.run_id]));
    const told = of(lines, 'batch').map(({ batch, from, to, rows, moved, stayed, set_aside }) => ({
      batch,
      from,
      to,
      rows,
      moved,
      stayed,
      set_aside,
    }));
    const kept = await scenario.db.query(`
      select batch_no::int as batch, after_id::text as "from", upto_id::text as "to", rows::int, moved::int,
        stayed::int, set_aside::int
      from keylift.batches where state = 'done' and rows > 0 order by batch_no`);
    expect(kept.length).to.be.greaterThan(5);
    expect(told.filter(({ rows }) => rows !== 0).sort((a, b) => Number(a.batch) - Number(b.batch))).to.deep.equal(kept);
  });

  it('names each transaction at debug level alone, and says whether it is committed', async () => {
    await scenario.must(`migrate --yes --until expand --log-file ${log}`);
    expect(of(await read(), 'transaction')).to.deep.equal([]);
    await scenario.db.query(`
      create function public.test_once() returns trigger language plpgsql as $$
      begin raise exception 'not now' using errcode = 'XX000'; end $$;
      create trigger aa_test_once before insert on public.account_api_keys for each row when (new.id = ${String(POISON)}) execute function public.test_once()`);
    await scenario.must(`migrate --yes --until backfill --log-level debug --log-file ${log}`, 1);
    const told = of(await read(), 'transaction');
    const ends = (name: string) => told.filter(({ transaction }) => transaction === name).map(({ ok }) => ok);
    expect(ends('run: enter the ledger')).to.deep.equal([true]);
    expect(ends('backfill: copy a batch')).to.include(false);
    expect(told.find(({ ok }) => ok === false)!.message).to.match(/^backfill: copy a batch: rolled back after \d+ ms$/);
  });

  it('tells why a run waited and for how long, also for a step of DDL', async () => {
    const reader = await scenario.db.connect();
    await reader.query('begin; lock table public.api_keys in row exclusive mode');
    const migration = scenario.start(`migrate --yes --until backfill --log-file ${log}`);
    await until('it to say that it waits', () => migration.stderrSoFar().includes('waiting'));
    await reader.query('commit');
    expect((await migration.ended).exitCode).to.equal(0);
    const lines = await read();
    expect(of(lines, 'waiting')[0]).to.include({ kind: 'lock', sqlstate: '55P03', stage: 'expand' });
    const [over] = of(lines, 'went_on');
    expect(over).to.include({ kind: 'lock' });
    expect(over!.ms).to.be.a('number').and.be.greaterThan(0);
  });

  it('tells a batch that is tried again, a range that is given up, and the failure, with their SQLSTATE', async () => {
    await scenario.must('migrate --yes --until expand');
    await scenario.db.query(`
      create function public.test_poison() returns trigger language plpgsql as $$
      begin raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled'; end $$;
      create trigger aa_test_poison before insert on public.account_api_keys
        for each row when (new.id = ${String(POISON)}) execute function public.test_poison()`);
    await scenario.must(`migrate --yes --batch-size 20 --log-file ${log}`, 5);
    const lines = await read();
    const [failed] = await scenario.db.query<{ batch_no: string; after_id: string; upto_id: string }>(
      `select batch_no, after_id::text as after_id, upto_id::text as upto_id from keylift.batches
        where state = 'failed'`,
    );
    expect(of(lines, 'retry').length).to.be.at.least(3);
    for (const line of of(lines, 'retry'))
      expect(line).to.include({ reason: 'smaller', sqlstate: '57014', stage: 'backfill' });
    expect(of(lines, 'given_up')).to.have.length(1);
    expect(of(lines, 'given_up')[0]).to.include({
      level: 'warn',
      batch: Number(failed!.batch_no),
      from: failed!.after_id,
      to: failed!.upto_id,
      tries: 3,
      sqlstate: '57014',
    });
    expect(lines.at(-1)).to.include({
      event: 'failed',
      level: 'error',
      code: 'batches_failed',
      exit_code: 5,
      stage: 'backfill',
    });
  });

  it('tells a batch that met a lock and is tried again', async () => {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 3);
    const migration = scenario.start(
      `migrate --yes --until backfill --batch-size 20 --concurrency 1 --log-file ${log}`,
    );
    await until('a batch to give way', () => migration.stderrSoFar().includes('a lock that a batch needs'));
    await gate.remove();
    expect((await migration.ended).exitCode).to.equal(0);
    const [retry] = of(await read(), 'retry');
    expect(retry).to.include({ reason: 'again', sqlstate: '55P03', stage: 'backfill' });
    expect(retry).to.satisfy(
      (line: Line) => line.ranges !== undefined || (line.from === null && typeof line.to === 'string'),
    );
  });

  it('tells a command that ends before it begins', async () => {
    await scenario.must(`finalize --yes --log-file ${log}`, 3);
    const lines = await read();
    expect(lines.map(({ event }) => event)).to.deep.equal(['command', 'failed']);
    expect(lines[1]).to.include({ code: 'nothing_migrated', exit_code: 3 });
    expect(lines[1]).not.to.have.property('run_id');
  });
});

describe('docs/logs.md and the schema of a line', () => {
  const rows = readDocument('docs/logs.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const namesIn = (cell: string): string[] => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!);
  const row = (name: string): string | undefined => rows.find((line) => namesIn(line.split(' | ')[0]!).includes(name));

  it('have every event that the code can log, and no other', () => {
    const logged = foundInSources(
      /\b(?:logger|log|fileLogger|fileOnly)\)?\.(?:error|warn|info|debug)\(\s*'([a-z_]+)'/gi,
    );
    expect(logged).to.deep.equal([...LOG_EVENTS].sort());
    expect(schema.properties.event!.enum).to.deep.equal(LOG_EVENTS);
    const documented = readDocument('docs/logs.md').split('## Events')[1]!.split('## Fields')[0]!;
    expect([...documented.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name)).to.deep.equal(LOG_EVENTS);
  });

  it('are found in the sources in no other way', () => {
    expect(foundInSources(/\b(?:logger|fileLogger)\)?\.(?:error|warn|info|debug)\(\s*([^'\s][^,)]*)/gi)).to.deep.equal(
      [],
    );
  });

  it('have every field, and with each event what its lines must hold', () => {
    for (const name of Object.keys(schema.properties)) expect(row(name), `a row for ${name}`).to.be.a('string');
    for (const {
      if: { properties },
      then: { required = [] },
    } of schema.allOf) {
      expect(namesIn(row(properties.event.const)!), `fields of ${properties.event.const}`).to.include.members(required);
    }
  });

  it('have every kind of wait', () => {
    expect(schema.properties.kind!.enum).to.deep.equal(WAIT_KINDS);
    expect(namesIn(row('kind')!)).to.include.members(WAIT_KINDS as unknown as string[]);
  });
});
