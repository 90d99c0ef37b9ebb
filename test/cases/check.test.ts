import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { openDatabase } from '../../src/database/connect.js';
import { keyliftError } from '../../src/errors/keylift-error.js';
import { checkSnapshots, updateSnapshots, type CaseResult, type SnapshotOptions } from '../../src/cases/check.js';
import { describeDifference } from '../../src/cases/compare.js';
import type { SnapshotSteps } from '../../src/cases/run.js';
import { withScratchDatabase } from '../../src/cases/scratch.js';
import { onServer, serverUrl } from '../support/database.js';
import { legacyWith, useDirectories } from './case-directory.js';

/** A mover of three statements: this suite is about running, writing and comparing, whoever moves. */
const MOVE = `
  CREATE TABLE public.account_api_keys AS
    SELECT k.id, k.account_id, k.name, k.token, 'store_apis' AS scope, k.api_id AS origin_api_id,
      k.created_at, k.last_used_at, k.revoked_at, k.expires_at FROM public.api_keys k;
  CREATE SCHEMA keylift;
  CREATE FUNCTION keylift.authorize(t text, a bigint) RETURNS TABLE (key_id bigint, account_id bigint, source text)
    LANGUAGE sql AS $$ SELECT k.id, k.account_id, 'account' FROM public.account_api_keys k WHERE k.token = t $$`;

const steps: SnapshotSteps = {
  plan: (_url, holdsFile) => Promise.resolve({ total: 1, seconds: Math.random(), holds: holdsFile !== undefined }),
  migrate: async (url) => {
    const database = await openDatabase(url);
    await database.withSession((session) => session.query(MOVE), { name: 'test' });
    await database.close();
  },
  verify: () => Promise.resolve({ ok: true }),
};

const withoutTimes = (results: readonly CaseResult[]): object[] =>
  results.map(({ case: name, ok, differences }) => ({ case: name, ok, differences }));

describe('snapshot/check', () => {
  const write = useDirectories();
  const options = (directory: string, changed: Partial<SnapshotSteps> = {}): SnapshotOptions => ({
    directory,
    stepsFor: () => ({ ...steps, ...changed }),
    withScratchDatabase: (use) => withScratchDatabase(serverUrl(), use),
  });

  it('update writes the four snapshots, a second one changes no byte, and check then finds no difference', async () => {
    const directory = await write({ 'legacy.json': legacyWith(), 'holds.csv': 'key_id\n1\n' });
    const [first] = await updateSnapshots(options(directory));
    expect(first?.differences.map(({ path: place }) => place)).to.deep.equal(
      ['plan', 'settings', 'access', 'verify'].map((name) => `${name} (snapshots/${name}.json: does not exist)`),
    );
    const access = path.join(directory, 'snapshots/access.json');
    const written = await readFile(access, 'utf8');
    expect(JSON.parse(written)).to.deep.equal([
      {
        fingerprint: '3f08aace122e',
        apis: { invoices: { before: 'key 1 of account 1', after: 'key 1 of account 1 (account)' } },
      },
    ]);
    const plan: unknown = JSON.parse(await readFile(path.join(directory, 'snapshots/plan.json'), 'utf8'));
    expect(plan).to.deep.equal({ total: 1, seconds: '(varies)', holds: true });
    expect(withoutTimes(await updateSnapshots(options(directory)))).to.deep.equal([
      { case: path.basename(directory), ok: true, differences: [] },
    ]);
    expect(await readFile(access, 'utf8')).to.equal(written);
    expect(withoutTimes(await checkSnapshots(options(directory)))).to.deep.equal([
      { case: path.basename(directory), ok: true, differences: [] },
    ]);
  });

  it('check names what differs and writes nothing', async () => {
    const directory = await write({ 'legacy.json': legacyWith() });
    await updateSnapshots(options(directory));
    const file = path.join(directory, 'snapshots/settings.json');
    const changed = (await readFile(file, 'utf8')).replace('"one"', '"two"');
    await writeFile(file, changed);
    await writeFile(path.join(directory, 'snapshots/verify.json'), '<<<<<<< HEAD\n');
    const [result] = await checkSnapshots(options(directory));
    expect(result?.ok).to.equal(false);
    expect(result?.differences.map(describeDifference)).to.deep.equal([
      'settings[id=1].keys[id=1].name: expected "two", got "one"',
      'verify (snapshots/verify.json: line 1, column 1: ' +
        'expected a value, found "<"): expected nothing, got {"ok":true}',
    ]);
    expect(await readFile(file, 'utf8')).to.equal(changed);
  });

  it('a case that fails does not keep the next from running, and leaves its snapshots alone', async () => {
    const directory = await write({ 'a/legacy.json': legacyWith(), 'b/legacy.json': legacyWith({ id: 2 }) });
    const boom = new Error('boom');
    let calls = 0;
    const verify = () => (++calls === 1 ? Promise.reject(boom) : Promise.resolve({ ok: true }));
    const ended: string[] = [];
    const results = await updateSnapshots({
      ...options(directory, { verify }),
      onCase: (result) => ended.push(result.case),
    });
    expect(results.map(({ case: name, error }) => [name, error])).to.deep.equal([
      ['a', boom],
      ['b', undefined],
    ]);
    expect(ended).to.deep.equal(['a', 'b']);
    expect(await readFile(path.join(directory, 'b/snapshots/plan.json'), 'utf8')).to.include('"total": 1');
    expect(await readFile(path.join(directory, 'a/snapshots/plan.json'), 'utf8').catch(() => 'none')).to.equal('none');
  });

  it('an unreachable server ends it all, and no scratch database is left', async () => {
    const directory = await write({ 'a/legacy.json': legacyWith(), 'b/legacy.json': legacyWith() });
    const gone = keyliftError('database_unreachable', { message: 'the server went away' });
    const used: string[] = [];
    const plan = (url: string) => {
      used.push(new URL(url).pathname.slice(1));
      return Promise.reject(gone);
    };
    const thrown: unknown = await checkSnapshots(options(directory, { plan })).catch((error: unknown) => error);
    expect(thrown).to.equal(gone);
    expect(used).to.have.length(1);
    const left = await onServer((client) =>
      client.query('SELECT datname FROM pg_database WHERE datname = ANY ($1)', [used]),
    );
    expect(left.rows).to.deep.equal([]);
  });
});
