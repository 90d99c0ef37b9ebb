import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { keylift, type Outcome } from '../cli/harness.js';
import { useFixtureDatabase } from '../exit-codes/fixture-database.js';
import { digest } from '../exit-codes/unchanged.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import type { Content, Row } from './row.js';
import { TABLE } from './table.js';

/** Enough for every fault and its way out; what was given is not handed back whole. */
const LONGEST_MESSAGE = 6_000;
const SECRETS = ['acme-invoice-4f1d9a', 'acme-receipt-88c02e', 'hunter2-secret', 'canary-4f1d9a'];

describe('bad input', () => {
  const fixture = useFixtureDatabase({ each: false });
  const databases: Partial<Record<NonNullable<Row['on']>, TestDatabase>> = {};
  let folder: string;

  before(async () => {
    await fixture.load('story');
    databases.legacy = fixture.database();
    databases.migrated = await createTestDatabase({ template: databases.legacy.name });
    expect((await keylift('migrate --yes', { env: { DATABASE_URL: databases.migrated.url } })).exitCode).to.equal(0);
  });
  after(() => databases.migrated?.drop());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-bad-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is looked at in at least sixty ways', () => {
    const rows = Object.values(TABLE).flat();
    expect(rows.length).to.be.at.least(60);
    expect(new Set(rows.map(({ what }) => what)).size, 'each under a name of its own').to.equal(rows.length);
  });

  for (const [place, rows] of Object.entries(TABLE)) {
    describe(place, () => {
      for (const row of rows) {
        it(`${row.what}: exit ${String(row.exit)}`, async () => {
          await write(row.files ?? {});
          const database = databases[row.on ?? 'legacy']!;
          const before = await digest(database);
          const outcome = await keylift(argv(row.line), {
            cwd: folder,
            env: { DATABASE_URL: database.url, ...row.env },
          });
          expect(await digest(database), 'the database').to.equal(before);
          judge(row, outcome);
        });
      }
    });
  }

  function judge({ line, exit, says, answers = false }: Row, { exitCode, stdout, stderr }: Outcome): void {
    const told = answers ? stdout : stderr;
    expect(exitCode, stdout + stderr).to.equal(exit);
    const found = typeof says === 'string' ? told.includes(says) : says.test(told);
    expect(found, `it should say ${String(says)}, and says:\n${told}`).to.equal(true);
    const document = line.includes('--json') ? (JSON.parse(stdout) as object) : undefined;
    if (!answers && document === undefined) expect(stdout, 'an answer with a refusal').to.equal('');
    if (!answers && document !== undefined) expect(document).to.have.all.keys('error');
    if (!answers) expect(stderr).to.match(/^keylift: /);
    expect(stdout + stderr, 'a stack trace').not.to.match(/^\s+at .+[:(]\d+|node_modules|\.[jt]s:\d+/m);
    expect(stderr, 'a bug').not.to.include('unexpected error');
    expect(stderr, 'what a terminal obeys').not.to.match(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e]/);
    expect(stderr.length, 'a message of bearable length').to.be.lessThan(LONGEST_MESSAGE);
    const password = new URL(databases.legacy!.url).password;
    for (const secret of [...SECRETS, password])
      expect((stdout + stderr).includes(secret), 'a secret was repeated').to.equal(false);
  }

  function argv(line: Row['line']): readonly string[] {
    const words = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
    return words.map((word) => word.replace('NONE', '/nowhere/at/all'));
  }

  async function write(files: Record<string, Content>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      const isText = typeof content === 'string' || content instanceof Uint8Array;
      await writeFile(file, isText ? content : '');
      if (!isText) await truncate(file, content.zeros);
    }
  }

  it('leaves no scratch database behind', async () => {
    const { rows } = await onServer((client) =>
      client.query(`SELECT datname FROM pg_database WHERE datname LIKE 'keylift_snapshot_%'`),
    );
    expect(rows).to.deep.equal([]);
  });
});
