import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { openDatabase } from '../../src/database/connect.js';
import { underLease } from '../../src/run/lease.js';
import { NEVER } from '../../src/timing.js';
import { useDirectories } from '../cases/case-directory.js';
import { ANSWERS, answerOf, schemaOf, type Answer } from './answers.js';
import { useFixtureDatabase } from '../exit-codes/fixture-database.js';

/** The contract's: the first 12 hex digits of SHA-256 of the stored token. */
const fingerprint = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 12);

describe('answers under --json', () => {
  const { database, load } = useFixtureDatabase();
  const directory = useDirectories();
  const ask = (line: string, schema: Answer, exitCode: 0 | 4 | 6 = 0) =>
    answerOf(line, { url: database().url, schema, exitCode });

  /** Changes the new table past the mirror, as a bug or a hand would. */
  const tamper = async (sql: string): Promise<void> => {
    await database().query(
      `begin; select set_config('keylift.writer', keylift.own_write('stage', 1), true); ${sql}; commit`,
    );
  };

  describe('plan', () => {
    it('of the story', async () => {
      await load('story');
      const plan = await ask('plan', 'plan');
      expect(plan).to.deep.include({
        outcomes: { move: 3, stay: 1, merge: 0, hold: 0, exception: 0 },
        exceptions: [],
        exceptions_by_reason: {},
        total: 4,
        widening: { accounts: 2, keys: 3, store_apis: 3, dormant_keys: 1 },
      });
    });

    it('with its statements', async () => {
      await load('story');
      const { sql } = await ask('plan --show-sql', 'plan');
      expect((sql as { text: string }[]).map(({ text }) => text).join('\n')).to.include(
        'INSERT INTO "public"."account_api_keys"',
      );
    });

    it('is what migrate --dry-run prints, to the letter', async () => {
      await load('dangling-keys');
      expect(await ask('migrate --dry-run', 'plan', 6)).to.deep.equal(await ask('plan', 'plan', 6));
    });

    it('with exceptions, ids as strings', async () => {
      await load('dangling-keys');
      const { exceptions, exceptions_by_reason: byReason } = await ask('plan', 'plan', 6);
      expect(byReason).to.deep.equal({ missing_api: 4, missing_account: 3, missing_token: 4, missing_created_at: 1 });
      expect((exceptions as unknown[])[0]).to.deep.equal({ key_id: '602', reason: 'missing_api' });
    });

    it('with the largest id, every digit kept', async () => {
      await load('story');
      await database().query(
        `insert into public.api_keys (id, api_id, account_id, token) values (9223372036854775807, 999, 1, 't')`,
      );
      expect((await ask('plan', 'plan', 6)).exceptions).to.deep.equal([
        { key_id: '9223372036854775807', reason: 'missing_api' },
      ]);
    });

    it('with holds', async () => {
      await load('story');
      const folder = await directory({ 'holds.csv': 'key_id\n11\n' });
      expect((await ask(`plan --holds ${path.join(folder, 'holds.csv')}`, 'plan')).outcomes).to.deep.include({
        move: 2,
        hold: 1,
      });
    });

    it('of nothing', async () => {
      await load('nothing-to-do');
      expect(await ask('plan', 'plan')).to.include({ total: 0, batches: 0 });
    });
  });

  describe('migrate', () => {
    it("up to a stage, and to the end; totals are the migration's, not the run's", async () => {
      await load('story');
      expect(await ask('migrate --until expand --yes', 'migrate')).to.include({
        stage: 'expand',
        moved: 0,
        batches: 0,
      });
      const first = await ask('migrate --yes', 'migrate');
      expect(first).to.include({ stage: 'switch', moved: 3, merged: 0, exceptions: 0 });
      expect(await ask('migrate --yes', 'migrate')).to.include({ stage: 'switch', moved: 3, batches: first.batches });
    });

    for (const name of ['dangling-keys', 'repeated-same-account']) {
      it(`counts what plan foretold: ${name}`, async () => {
        await load(name);
        const { outcomes } = await ask('plan', 'plan', 6);
        const { move, merge, exception } = outcomes as Record<string, number>;
        expect(await ask('migrate --yes', 'migrate', 6)).to.include({
          moved: move,
          merged: merge,
          exceptions: exception,
        });
      });
    }
  });

  describe('verify', () => {
    it('without a difference', async () => {
      await load('story');
      await ask('migrate --until verify --yes', 'migrate');
      const proof = await ask('verify', 'verify');
      expect(proof).to.deep.include({
        ok: true,
        differences: [],
        keys: { compared: 3, missing: 0, extra: 0, different: 0 },
      });
    });

    for (const [what, sql, kind, keyId] of [
      ['a changed name', `update public.account_api_keys set name = 'other' where id = 11`, 'different', '11'],
      [
        'a date off by a microsecond',
        `update public.account_api_keys set created_at = created_at + interval '1 microsecond' where id = 12`,
        'different',
        '12',
      ],
      ['a missing row', 'delete from public.account_api_keys where id = 14', 'missing', '14'],
      [
        'a row from nowhere',
        `insert into public.account_api_keys (id, account_id, token, origin_api_id) values (99, 1, 'nowhere', 1)`,
        'extra',
        '99',
      ],
      ['a changed account', 'update public.account_api_keys set account_id = 2 where id = 11', 'different', '11'],
      ['a revived key', `update public.api_keys set revoked_at = now() where id = 11`, 'different', '11'],
    ] as const) {
      it(`with ${what}`, async () => {
        await load('story');
        await ask('migrate --until verify --yes', 'migrate');
        await tamper(sql);
        const { ok, differences } = await ask('verify', 'verify', 4);
        expect(ok).to.equal(false);
        expect(differences).to.be.an('array').that.is.not.empty;
        expect((differences as unknown[])[0]).to.deep.include({ key_id: keyId, kind });
      });
    }

    it('with more than a hundred differences, of which a hundred are listed and all are counted', async () => {
      await load('story');
      await database().query(
        `insert into public.api_keys (account_id, api_id, token) select 1, 1, 'many-' || n
          from generate_series(1, 130) n`,
      );
      await ask('migrate --until verify --yes', 'migrate');
      await tamper(`update public.account_api_keys set name = 'other'`);
      const { differences, keys } = await ask('verify', 'verify', 4);
      expect(differences).to.have.length(100);
      expect(keys).to.include({ different: 133 });
    });
  });

  describe('status', () => {
    it('of a database keylift never saw', async () => {
      await load('story');
      expect(await ask('status', 'status')).to.deep.equal({
        stage: null,
        state: 'idle',
        moved: 0,
        total: 4,
        looked_at: 0,
        reason: 'there is no migration yet',
        rows_per_second: null,
        seconds_left: null,
        batch_seconds: null,
        concurrency: null,
        lag_seconds: null,
        lookups: null,
        doing: null,
        batches: { done: 0, open: 0, failed: 0 },
        stages: [],
        switched: 'none',
        exceptions: 0,
        mirror: null,
        run: null,
        silent_run: null,
      });
      expect(await database().query(`select from pg_namespace where nspname = 'keylift'`)).to.have.length(0);
    });

    it('at every stage, and after the way back', async () => {
      await load('dangling-keys');
      for (const stage of ['expand', 'backfill', 'harden', 'verify'] as const) {
        await ask(`migrate --until ${stage} --yes`, 'migrate', stage === 'expand' ? 0 : 6);
        expect(await ask('status', 'status')).to.include({ stage, state: 'idle', switched: 'none', total: 15 });
      }
      await ask('migrate --yes', 'migrate', 6);
      expect(await ask('status', 'status')).to.include({
        stage: 'switch',
        state: 'done',
        moved: 2,
        switched: 'all',
        exceptions: 12,
        reason: null,
      });
      await ask('rollback --yes', 'rollback');
      expect(await ask('status', 'status')).to.include({ stage: null, state: 'rolled_back', moved: 0, total: 15 });
    });

    it('while a run is at work', async () => {
      await load('story');
      await ask('migrate --until expand --yes', 'migrate');
      const opened = await openDatabase(database().url);
      const status = await underLease(
        opened,
        { facts: { command: 'migrate', version: '0.0.0' }, stop: NEVER, onEntered: () => undefined },
        async () => ({ exitCode: 0, result: await ask('status', 'status') }),
      ).finally(() => opened.close());
      expect(status.state).to.equal('running');
      expect(status.run).to.include({ command: 'migrate', pid: process.pid });
    });
  });

  describe('switch', () => {
    it('by cohort, by list, all, and back', async () => {
      await load('story');
      await ask('migrate --until verify --yes', 'migrate');
      const folder = await directory({ 'accounts.csv': 'account_id\n2\n' });
      const accounts = { switched: 1, total: 2 };
      expect(await ask(`switch --accounts ${path.join(folder, 'accounts.csv')} --yes`, 'switch')).to.deep.equal({
        mode: 'some',
        accounts,
      });
      expect(await ask('switch --cohort 100% --yes', 'switch')).to.deep.equal({
        mode: 'all',
        accounts: { switched: 2, total: 2 },
      });
      expect(await ask('switch --back --yes', 'switch')).to.deep.equal({
        mode: 'none',
        accounts: { switched: 0, total: 2 },
      });
      expect(await ask('switch --all --yes', 'switch')).to.deep.include({ mode: 'all' });
    });
  });

  describe('finalize', () => {
    it('to an archive, and to none', async () => {
      await load('story');
      await ask('migrate --yes', 'migrate');
      expect(await ask('finalize --yes', 'finalize')).to.deep.equal({ state: 'finalized', archived: 3 });
      expect(await ask('finalize --yes', 'finalize')).to.deep.equal({ state: 'finalized', archived: 3 });
      expect(await ask('status', 'status')).to.include({ stage: 'finalize', state: 'done' });
      expect(await ask('finalize --purge --yes', 'finalize')).to.deep.equal({ state: 'purged', archived: 3 });
    });
  });

  describe('snapshot check', () => {
    it('of a case that is as its snapshots say, and of one that is not', async () => {
      const story = path.join(packageRoot(), 'fixtures', 'story');
      expect(await ask(`snapshot check ${story}`, 'snapshot-check')).to.deep.equal({
        ok: true,
        cases: [{ case: 'story', ok: true, differences: [] }],
      });
      const legacy = JSON.parse(readFileSync(path.join(story, 'legacy.json'), 'utf8')) as unknown;
      const folder = await directory({ 'other/legacy.json': legacy, 'other/snapshots/plan.json': { total: 5 } });
      const { ok, cases } = await ask(`snapshot check ${folder}`, 'snapshot-check', 4);
      expect(ok).to.equal(false);
      expect((cases as { differences: unknown[] }[])[0]!.differences).to.be.an('array').that.is.not.empty;
    });
  });

  describe('rollback', () => {
    it('with keys born in Settings, listed without their tokens', async () => {
      await load('story');
      await ask('migrate --yes', 'migrate');
      await database().query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'born', 'born-token'), (2, null,
          'other-token')`,
      );
      const first = await ask('rollback --yes', 'rollback');
      expect(first).to.include({ rolled_back: true, removed: 3 });
      expect(first.born_in_settings).to.deep.equal([
        { key_id: '15', account_id: '1', name: 'born', fingerprint: fingerprint('born-token') },
        { key_id: '16', account_id: '2', name: null, fingerprint: fingerprint('other-token') },
      ]);
      expect(JSON.stringify(first)).not.to.include('born-token');
      expect(await ask('rollback --yes', 'rollback')).to.deep.equal({ ...first, rolled_back: false, removed: 0 });
    });

    it('of some accounts', async () => {
      await load('story');
      await ask('migrate --yes', 'migrate');
      const folder = await directory({ 'accounts.csv': 'account_id\n1\n' });
      const report = await ask(`rollback --accounts ${path.join(folder, 'accounts.csv')} --yes`, 'rollback');
      expect(report).to.deep.equal({ rolled_back: true, accounts: 1, removed: 2, born_in_settings: [], left: [] });
    });

    it('of a database keylift never saw', async () => {
      await load('story');
      expect(await ask('rollback --yes', 'rollback')).to.deep.equal({
        rolled_back: false,
        accounts: null,
        removed: 0,
        born_in_settings: [],
        left: [],
      });
    });
  });
});

describe('schemas', () => {
  it("compile in ajv's strict mode and stand in schemas/", () => {
    const shipped = readdirSync(path.join(packageRoot(), 'schemas'));
    for (const answer of ANSWERS) {
      expect(schemaOf(answer)).to.be.a('function');
      expect(shipped).to.include(`${answer}.schema.json`);
    }
  });

  const plan = {
    outcomes: { move: 1, stay: 0, merge: 0, hold: 0, exception: 1 },
    exceptions: [{ key_id: '1', reason: 'missing_api' }],
    exceptions_by_reason: { missing_api: 1 },
    widening: { accounts: 1, keys: 1, store_apis: 1, dormant_keys: 0 },
    total: 2,
    batches: 1,
    seconds_expected: 0,
    surroundings: [],
  };

  it('take a document with everything that is asked for', () => {
    expect(schemaOf('plan')(plan)).to.equal(true);
  });

  for (const [what, document] of [
    ['a number for a key id', { ...plan, exceptions: [{ key_id: 1, reason: 'missing_api' }] }],
    ['a reason nobody knows', { ...plan, exceptions: [{ key_id: '1', reason: 'lost' }] }],
    ['a missing field', { ...plan, total: undefined }],
    ['a field nobody asked for', { ...plan, token: 'secret' }],
    ['a count below zero', { ...plan, total: -1 }],
    ['a sixth outcome', { ...plan, outcomes: { ...plan.outcomes, other: 0 } }],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(schemaOf('plan')(JSON.parse(JSON.stringify(document)))).to.equal(false);
    });
  }
});
