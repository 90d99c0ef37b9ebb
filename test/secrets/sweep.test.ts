import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { COMMANDS } from '../../src/commands/definitions/all.js';
import { keylift } from '../cli/harness.js';
import { startChild } from '../support/child.js';
import type { TestDatabase } from '../support/database.js';
import { startGateway } from '../support/gateway.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { plant, tokenOf } from '../support/seed.js';
import { until } from '../support/waiting.js';
import { startLoudServer, type LoudServer } from './loud-server.js';
import { commandLines, fileLeaks, filesBelow, ledgerLeaks, Secrets, Watch, type Leak } from './trail.js';
import { FAULTS, WAY } from './way.js';

/** Passwords that are tried and refused are no less secret. */
const WRONG = 'wröng-pa55word';
const GRANTED = 'granted-pa55word';
const ENV = { CANARY: tokenOf(1), LOST: tokenOf('gone') };

describe('secrets', function () {
  this.timeout(600_000);
  let loud: LoudServer;
  let folder: string;
  let secrets: Secrets;
  before(async () => {
    loud = await startLoudServer();
    secrets = new Secrets([new URL(loud.server.url()).password, WRONG, encodeURIComponent(WRONG), GRANTED]);
  });
  after(() => loud.stop());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-secrets-'));
    await mkdir(path.join(folder, 'out'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** A database with every kind of key, and files of evidence about them. */
  async function ground(name: string): Promise<TestDatabase> {
    const db = await loud.database(name);
    await plant(db, MOTLEY);
    // By key id: decisions by token are watched beside the tests of replay.
    const decisions = [
      { key_id: 1, api: 'receipts', allowed: false },
      { key_id: 999, api: 'invoices', allowed: true },
      { key_id: 4, api: 'invoices', allowed: true },
    ];
    const odd = [
      `{"token":"${tokenOf(2)}","api":"receipts"`,
      `{"token":"${tokenOf(2)}\\u0000","api":"receipts","allowed":true}`,
    ];
    const files: Record<string, string> = {
      'decisions.ndjson': [...decisions.map((decision) => JSON.stringify(decision)), ...odd].join('\n'),
      'holds.csv': MOTLEY_HOLDS.csv,
      'accounts.csv': 'account_id\n1\n',
      'tokens.csv': `account_id\n${tokenOf(1)}\n`,
    };
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text);
    return db;
  }

  /** Everything that a run left behind and everything that was seen of it meanwhile. */
  async function sweep(db: TestDatabase, said: string, watch: Watch): Promise<Leak[]> {
    await watch.end();
    const log = await loud.entries();
    expect(
      log.some((entry) => / (LOG|FATAL): /.test(entry)),
      'a log',
    ).to.equal(true);
    return [
      ...secrets.in(said, 'stdout and stderr'),
      ...watch.leaks,
      ...(await ledgerLeaks(db, secrets)),
      ...(await fileLeaks(path.join(folder, 'out'), secrets)),
      ...log.flatMap((entry) =>
        secrets.in(entry, `the server's log: ${entry.slice(0, 160).replace(/sécret.*/s, '…')}`),
      ),
    ];
  }

  /** Runs command lines one after the other, all that can be told asked for, and returns what they said. */
  async function go(
    db: TestDatabase,
    lines: readonly (readonly [line: string, ...exits: number[]])[],
  ): Promise<string> {
    let said = '';
    for (const [line, ...exits] of lines) {
      const loudly = `${line} --log-level debug --log-file out/keylift.log`;
      const { exitCode, stdout, stderr } = await keylift(loudly, {
        cwd: folder,
        env: { DATABASE_URL: db.url, ...ENV },
      });
      expect(exits.length === 0 ? [0] : exits, `${line}\n${stdout}${stderr}`).to.include(exitCode);
      said += stdout + stderr;
    }
    return said;
  }

  it("are nowhere, whatever command is run: outputs, files, ledger, statements, processes, the server's log", async () => {
    const db = await ground('the_way');
    const gateway = await startGateway({ url: `${db.url}?application_name=the-test`, asks: 'legacy' });
    await writeFile(
      path.join(folder, 'probe.json'),
      JSON.stringify({
        baseUrl: gateway.url,
        retries: 0,
        requests: ['CANARY', 'LOST'].map((name) => ({
          method: 'POST',
          path: '/v1/products/mindee/invoices/v4/predict',
          header: `Authorization: Token \${${name}}`,
          before: 201,
          after: 201,
        })),
      }),
    );
    const watch = new Watch(db, secrets);
    watch.begin();
    const said = await go(db, WAY).finally(() => gateway.stop());
    expect(await sweep(db, said, watch)).to.deep.equal([]);
    expect(new Set(WAY.map(([line]) => line.split(' ')[0])), 'every command was run').to.deep.equal(
      new Set(COMMANDS.map(({ name }) => name)),
    );
    expect(watch.samples, 'looks at running statements').to.be.greaterThan(20);
    const files = await filesBelow(path.join(folder, 'out'));
    expect(files).to.include.members([
      'customers.csv',
      'keylift.config.notes.md',
      'keylift.log',
      'keylift.prom',
      'page.html',
      'results.xml',
      'sample/legacy.json',
    ]);
    // A collector, which is another user, reads the counts of a run.
    await ownersAlone(
      files.filter(
        (file) => !file.endsWith('keylift.config.json') && file !== 'keylift.prom' && !file.includes('snapshots/'),
      ),
    );
  });

  /** Mode 0600, or below a folder of mode 0700. */
  async function ownersAlone(files: readonly string[]): Promise<void> {
    const modes = await Promise.all(
      files.map(async (file) => [file, ((await stat(path.join(folder, 'out', file))).mode & 0o777).toString(8)]),
    );
    expect(modes).to.deep.equal(files.map((file) => [file, '600']));
    expect((await stat(path.join(folder, 'out/sample'))).mode & 0o777, 'the folder of the exported case').to.equal(
      0o700,
    );
  }

  for (const { what, sql, config, lines } of FAULTS) {
    it(`are nowhere when the database fails over a row: ${what}`, async () => {
      const db = await ground(`fault_${String(FAULTS.findIndex((fault) => fault.what === what))}`);
      if (config !== undefined) await writeFile(path.join(folder, 'keylift.config.json'), JSON.stringify(config));
      const watch = new Watch(db, secrets);
      watch.begin();
      const [before, after] = [lines.slice(0, -1), lines.slice(-1)];
      let said = await go(db, before);
      if (sql !== undefined) await db.query(sql);
      said += await go(db, after);
      expect(await sweep(db, said, watch)).to.deep.equal([]);
    });
  }

  it('are nowhere when an operator who is no superuser was granted the right to keep errors out of the log', async function () {
    const db = await ground('granted');
    const [{ number }] = (await db.query<{ number: number }>(
      `select current_setting('server_version_num')::int as number`,
    )) as [{ number: number }];
    // Before, nobody but a superuser may.
    if (number < 150_000) this.skip();
    await db.query(`
      create role granted_operator login password '${GRANTED}';
      grant set on parameter log_min_messages to granted_operator;
      grant create on database granted to granted_operator; grant usage, create on schema public to granted_operator;
      alter table public.api_keys owner to granted_operator; alter table public.apis owner to granted_operator;
      alter table public.accounts owner to granted_operator`);
    const url = new URL(db.url);
    url.username = 'granted_operator';
    url.password = GRANTED;
    const {
      sql,
      lines: [expand, migrate],
    } = FAULTS.find(({ what }) => what === 'a check of the new table')!;
    const watch = new Watch(db, secrets);
    watch.begin();
    let said = await go({ ...db, url: url.href }, [expand!]);
    await db.query(sql!);
    said += await go({ ...db, url: url.href }, [migrate!]);
    expect(await sweep(db, said, watch)).to.deep.equal([]);
  });

  it('are nowhere when the server does not let us in', async () => {
    const db = await ground('no_entry');
    const url = new URL(db.url);
    url.password = WRONG;
    const watch = new Watch(db, secrets);
    watch.begin();
    let said = '';
    for (const line of [
      'plan',
      'migrate --yes',
      'status --json',
      `plan --database-url ${url.href}`,
      `plan --databse-url ${url.href}`,
    ]) {
      const { exitCode, stdout, stderr } = await keylift(`${line} --log-level debug --log-file out/keylift.log`, {
        cwd: folder,
        env: { DATABASE_URL: url.href },
      });
      expect(exitCode, stderr).to.equal(2);
      said += stdout + stderr;
    }
    expect(await sweep(db, said, watch)).to.deep.equal([]);
  });

  it('are nowhere while a program of its own runs; behind --database-url, from the first line it says', async () => {
    const db = await ground('titles');
    const writer = await db.connect();
    await writer.query('begin; lock table public.api_keys in row exclusive mode');
    const titled = startChild(`migrate --until expand --yes --database-url ${db.url}`, {
      url: 'postgres://nobody@127.0.0.1:1/none',
    });
    await until('a first line', () => titled.output().stderr !== '');
    expect(
      (await commandLines()).some((line) => line.startsWith('keylift')),
      'a process called keylift',
    ).to.equal(true);
    expect((await commandLines()).flatMap((line) => secrets.in(line, line.slice(0, 40)))).to.deep.equal([]);
    await writer.query('rollback');
    expect(await titled.exited, titled.output().stderr).to.equal(0);
    const watch = new Watch(db, secrets);
    watch.begin();
    const child = startChild('migrate --yes', { url: db.url });
    expect(await child.exited, child.output().stderr).to.equal(6);
    const { stdout, stderr } = child.output();
    expect(await sweep(db, stdout + stderr, watch)).to.deep.equal([]);
  });
});
