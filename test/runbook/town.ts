import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { packageRoot } from '../../src/config/package-root.js';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { makeAuthority } from '../support/certificate.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { blocksOf, statementsOf } from './blocks.js';
import { openShell, type Shell } from './shell.js';
import { CANARY, OWNERS, SHOP } from './shop.js';

/** The password that the runbook's SQL gives every role. */
const PASSWORD = 'change me';

/** Roles that need objects of keylift, each with the query that finds a row as soon as the runbook grants its rights. */
const LATER = [
  { role: 'gateway', when: `select where to_regprocedure('keylift.authorize(text, bigint)') is not null` },
  { role: 'platform', when: `select where to_regclass('public.account_api_keys_pkey') is not null` },
];

const DATABASE = 'shop';
const SEEDED = 'shop_seeded';

/** Where the documents' commands run: a server, the shop's database with its roles, a gateway and a shell. */
export class Town {
  private readonly roles = blocksOf('runbook.md').filter(({ mark }) => mark?.startsWith('role: '));
  /** Roles of the runbook that have all their rights in the database as it is now. */
  private readonly granted = new Set<string>();
  private gateway!: Gateway;

  private constructor(
    private readonly server: EmbeddedServer,
    readonly shell: Shell,
  ) {}

  /** @param more SQL for the shop beside its plain keys */
  static async build(more = ''): Promise<Town> {
    const server = await startEmbeddedServer({
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
    });
    const folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-rehearsal-'));
    const shell = await openShell(folder, { PGPASSWORD: PASSWORD, INVOICE_KEY: CANARY, TZ: 'UTC' });
    const town = new Town(server, shell);
    await town.ask(OWNERS, 'postgres');
    await server.createDatabase(SEEDED);
    await town.ask(SHOP + more, SEEDED);
    await town.openGateway();
    await town.freshCopy();
    shell.env.DATABASE_URL = town.url('keylift_operator');
    return town;
  }

  /** The shop as it was before anybody did anything, its roles made as the runbook makes them. */
  async freshCopy(): Promise<void> {
    await this.server.dropDatabase(DATABASE);
    await this.server.createDatabase(DATABASE, SEEDED);
    this.granted.clear();
    for (const role of ['planner', 'operator']) await this.grant(role);
    await this.ask('alter role keylift_operator login nobypassrls');
    this.gateway.asks = 'legacy';
  }

  /** What the runbook says to do as stages are done: gateways ask the resolver, and roles get their rights. */
  async keepUp(): Promise<void> {
    for (const { role, when } of LATER) if ((await this.ask(when)).length > 0) await this.grant(role);
    if (this.granted.has('gateway')) this.gateway.asks = 'authorize';
  }

  /** Runs SQL as the administrator; answers with the last statement's rows. */
  async ask(sql: string, database = DATABASE): Promise<Record<string, unknown>[]> {
    return query(this.server.url(database), sql);
  }

  /** Runs SQL as the operator. */
  async askAsOperator(sql: string): Promise<Record<string, unknown>[]> {
    return query(this.url('keylift_operator', PASSWORD), sql);
  }

  /** Runs a command for what it leaves behind, however it ends. */
  async keylift(line: string): Promise<void> {
    await this.shell.run([{ text: `keylift ${line}`, exitCode: 0, anchor: undefined, skipped: undefined }]);
  }

  /** A session of the administrator's, to hold something open. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.server.url(DATABASE) });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** A text of the documents with the addresses of this town in it. */
  addressed(text: string): string {
    return text
      .replaceAll('db.example:5432', `127.0.0.1:${String(this.server.port)}`)
      .replaceAll('https://api.example.com', this.gateway.url);
  }

  /** Roles of the runbook whose SQL has not run in this database. */
  rolesWithout(): string[] {
    return this.roles.map(({ mark }) => mark!.slice('role: '.length)).filter((role) => !this.granted.has(role));
  }

  async close(): Promise<void> {
    await this.gateway.stop();
    await this.server.stop();
    for (const place of [this.shell.folder, `${this.shell.folder}.log`])
      await rm(place, { recursive: true, force: true });
  }

  private async grant(role: string): Promise<void> {
    if (this.granted.has(role)) return;
    for (const { sql } of this.roles.filter(({ mark }) => mark === `role: ${role}`).flatMap(statementsOf)) {
      // Roles belong to the server, and outlive the copy they were made in.
      await this.ask(sql).catch((error: unknown) => {
        if ((error as { code: string }).code !== '42710') throw error;
      });
    }
    this.granted.add(role);
  }

  private url(role: string, password = ''): string {
    const url = new URL(this.server.url(DATABASE));
    [url.username, url.password] = [role, encodeURIComponent(password)];
    return url.href;
  }

  private async openGateway(): Promise<void> {
    const authority = makeAuthority();
    this.gateway = await startGateway({
      url: this.server.url(DATABASE),
      asks: 'legacy',
      tls: authority.certificateFor({ name: 'localhost' }),
      needsDocument: true,
    });
    await writeFile(path.join(this.shell.folder, 'private-ca.pem'), authority.ca);
    await writeFile(path.join(this.shell.folder, 'sample.pdf'), '%PDF-1.4\n');
    // As in a checkout, where the commands are meant to be run.
    for (const name of ['fixtures', 'knexfile.js', 'node_modules'])
      await symlink(path.join(packageRoot(), name), path.join(this.shell.folder, name));
  }
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = (await client.query(sql)) as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? result.at(-1)! : result).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
