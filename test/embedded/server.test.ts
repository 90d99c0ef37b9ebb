import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { startEmbeddedServer } from '../../src/embedded/server.js';
import type { EmbeddedServer, EmbeddedServerOptions } from '../../src/embedded/server.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';
import { isAlive } from './processes.js';

const servers: EmbeddedServer[] = [];

async function start(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ ...options, settings: { fsync: 'off', ...options.settings } });
  servers.push(server);
  return server;
}

async function ask(server: EmbeddedServer, sql: string, url = server.url()): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>({ text: sql });
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

async function refusal(options: EmbeddedServerOptions): Promise<KeyliftError> {
  const error: unknown = await start(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(KeyliftError);
  return error as KeyliftError;
}

describe('startEmbeddedServer', () => {
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  it('serves UTF8 text in an order that no machine changes, and never as root', async () => {
    const server = await start();
    expect(await ask(server, 'show server_encoding')).to.equal('UTF8');
    expect(
      await ask(server, `select string_agg(v, '' order by v) from unnest(array['é', 'b', 'B', 'a', '_']) v`),
    ).to.equal('B_abé');
    expect(await ask(server, 'show timezone')).to.equal('UTC');
    expect(statSync(path.join(server.dataDirectory, 'data')).uid).not.to.equal(0);
    expect(statSync(server.dataDirectory).mode & 0o777).to.equal(0o700);
  });

  it('listens on the loopback address alone, and asks for its password', async () => {
    const server = await start();
    expect(await ask(server, 'show listen_addresses')).to.equal('127.0.0.1');
    expect(await ask(server, 'show unix_socket_directories')).to.equal('');
    const wrong = new URL(server.url());
    wrong.password = 'wrong';
    const error: unknown = await ask(server, 'select 1', wrong.href).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', '28P01');
  });

  it('removes its processes and its directory at stop, and does nothing at a second stop', async () => {
    const lines: string[] = [];
    const server = await start({ onLog: (line) => lines.push(line) });
    expect(isAlive(server.pid)).to.be.true;
    await server.stop();
    await server.stop();
    expect(isAlive(server.pid)).to.be.false;
    expect(existsSync(server.dataDirectory)).to.be.false;
    expect(lines.at(-1)).to.equal('PostgreSQL has stopped');
    expect(lines.join()).not.to.include(new URL(server.url()).password);
  });

  it('runs two at once, each with its own port, directory and password', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.port).not.to.equal(two.port);
    expect(one.dataDirectory).not.to.equal(two.dataDirectory);
    await one.createDatabase('only here');
    expect(await ask(one, 'select current_database()', one.url('only here'))).to.equal('only here');
    await one.stop();
    expect(await ask(two, `select count(*)::int from pg_database where datname = 'only here'`)).to.equal(0);
  });

  it('clones and drops databases, whoever is connected', async () => {
    const server = await start();
    await server.createDatabase('first');
    await ask(server, 'create table t as select 42 as n', server.url('first'));
    await server.createDatabase('second', 'first');
    const client = new pg.Client({ connectionString: server.url('second') });
    client.on('error', () => undefined);
    await client.connect();
    expect((await client.query('select n from t')).rows).to.eql([{ n: 42 }]);
    await server.dropDatabase('second');
    await server.dropDatabase('second');
    const error: unknown = await server.createDatabase('first').catch((reason: unknown) => reason);
    expect(error).to.deep.include({ code: 'embedded_statement_failed', facts: { sqlstate: '42P04' } });
  });

  for (const mode of ['fast', 'immediate'] as const) {
    it(`comes back on its port with what was committed after a restart (${mode})`, async () => {
      const server = await start({ settings: { fsync: 'on' } });
      const { pid, port } = server;
      await ask(server, 'create table t as select 42 as n');
      await server.restart(mode);
      expect(server.pid).not.to.equal(pid);
      expect(server.port).to.equal(port);
      expect(await ask(server, 'select n from t')).to.equal(42);
    });
  }

  it('finds a persistent directory again', async () => {
    const parent = mkdtempSync(path.join(os.tmpdir(), 'keylift-test-'));
    try {
      const dataDirectory = path.join(parent, 'kept', 'here');
      await chmod(parent, 0o755); // as root, PostgreSQL runs as somebody else, who has to get through
      const first = await start({ dataDirectory, persistent: true });
      await first.createDatabase('kept');
      await first.stop();
      expect(existsSync(dataDirectory)).to.be.true;
      const second = await start({ dataDirectory, persistent: true });
      expect(await ask(second, 'select 1', second.url('kept'))).to.equal(1);
      expect(await refusal({ dataDirectory })).to.include({ code: 'embedded_directory_foreign', exitCode: 2 });
      await second.stop();
    } finally {
      await rm(parent, { recursive: true });
    }
  });

  it("leaves a directory alone that is somebody else's", async () => {
    const dataDirectory = mkdtempSync(path.join(os.tmpdir(), 'keylift-test-'));
    writeFileSync(path.join(dataDirectory, 'thesis.txt'), 'precious');
    const owner = statSync(dataDirectory).uid;
    for (const persistent of [true, false]) {
      expect(await refusal({ dataDirectory, persistent })).to.include({ code: 'embedded_directory_foreign' });
    }
    expect(existsSync(path.join(dataDirectory, 'thesis.txt'))).to.be.true;
    expect(statSync(dataDirectory).uid).to.equal(owner);
    await rm(dataDirectory, { recursive: true });
  });

  it('says why PostgreSQL did not start, and leaves nothing behind', async () => {
    const error = await refusal({ settings: { shared_buffers: 'plenty' } });
    expect(error).to.include({ code: 'embedded_start_failed', exitCode: 5 });
    expect(JSON.stringify(error.facts.log)).to.include('shared_buffers');
    expect(existsSync(error.facts.directory as string)).to.be.false;
  });

  it('refuses a major version that is not installed', async () => {
    expect(await refusal({ majorVersion: 9 })).to.include({ code: 'embedded_not_installed', exitCode: 2 });
  });
});
