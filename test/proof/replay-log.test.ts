import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { keylift } from '../cli/harness.js';
import { LEGACY_SCHEMA } from '../support/database.js';
import { ndjson } from './replays.js';

const tokenOf = (n: number): string =>
  createHash('md5')
    .update(`key ${String(n)}`)
    .digest('hex');

describe('the log of a server that logs every statement with its values', () => {
  let server: EmbeddedServer;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-log-'));
    server = await startEmbeddedServer({
      settings: { log_statement: 'all', log_min_duration_statement: '0', fsync: 'off' },
    });
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    // Tokens are made by the server: no statement holds one.
    await client.query(`${LEGACY_SCHEMA};
      insert into public.accounts (kind, name) values ('user', 'acme');
      insert into public.apis (slug, name, kind) values ('invoices', 'Invoices', 'store');
      insert into public.api_keys (account_id, api_id, token) select 1, 1, md5('key ' || n)
        from generate_series(1, 50) n`);
    await client.end();
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  it('holds no token of a replay', async () => {
    const file = path.join(folder, 'decisions.ndjson');
    const tokens = Array.from({ length: 60 }, (_, n) => tokenOf(n + 1));
    await writeFile(file, ndjson(tokens.map((token, n) => ({ token, api: 'invoices', allowed: n < 50 }))));
    for (const command of ['', 'migrate --yes']) {
      if (command !== '')
        expect((await keylift(command.split(' '), { env: { DATABASE_URL: server.url() } })).exitCode).to.equal(0);
      const { exitCode, stderr } = await keylift(['verify', '--replay', file, '--json'], {
        env: { DATABASE_URL: server.url() },
      });
      expect(exitCode, stderr).to.equal(0);
    }
    const log = await readFile(server.logFile, 'utf8');
    expect(log).to.include('COPY pg_temp.keylift_decisions');
    expect(tokens.filter((token) => log.includes(token))).to.deep.equal([]);
  });
});
