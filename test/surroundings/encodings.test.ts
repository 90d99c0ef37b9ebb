import path from 'node:path';
import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { LEGACY_SCHEMA, onServer, serverMajor } from '../support/database.js';
import { Scenario } from '../support/scenario.js';
import { plant, type Seed } from '../support/seed.js';

/** Encodings that lack most of Unicode, each with a name that it can hold. */
const ENCODINGS: Record<string, string> = { LATIN1: 'clé', KOI8R: 'ключ', SQL_ASCII: 'clé' };

const seedOf = (name: string): Seed => ({
  accounts: [`${name} AG`, 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: `custom of bert` },
  keys: [
    { id: 1, account: 'bert', api: 'invoices', token: 'plain-token-1', name },
    { id: 2, account: 'bert', api: 'forms', token: 'plain-token-2', name: name.repeat(60) },
    // A merged key and an exception with a name that the report has to cut.
    { id: 3, account: 'bert', api: 'invoices', token: 'plain-token-3', name },
    { id: 4, account: 'bert', api: 'receipts', token: 'plain-token-3', name },
    { id: 5, account: `${name} AG`, api: 'invoices', token: null, name: name.repeat(60) },
  ],
});

describe('the functions that keylift installs', () => {
  it('are ASCII at every stage, which every encoding of a server has', async () => {
    const scenario = await Scenario.of(seedOf('key'));
    for (const command of ['migrate --until expand --yes', 'migrate --yes', 'finalize --yes', 'rollback --yes']) {
      await scenario.must(command, 0, 6);
      const functions = await scenario.db.query<{ name: string; text: string }>(
        `select oid::regprocedure::text as name, pg_get_functiondef(oid) as text from pg_proc
          where pronamespace = 'keylift'::regnamespace`,
      );
      expect(functions.length, command).to.be.greaterThan(0);
      for (const { name, text } of functions)
        expect(/[^\t\n -~]/.exec(text)?.[0], `${command}: ${name}`).to.equal(undefined);
    }
    await scenario.close();
  });
});

describe('a database in the encoding', () => {
  for (const [encoding, name] of Object.entries(ENCODINGS)) {
    describe(encoding, () => {
      let scenario: Scenario;
      before(async () => {
        const template = await emptyDatabase(encoding);
        scenario = await Scenario.open({ template });
        await plant(scenario.db, seedOf(name));
      });
      after(async () => {
        await scenario.close();
        await onServer((client) => client.query(`drop database if exists ${templateOf(encoding)} with (force)`));
      });

      it('is migrated, proven, reported, finalized and rolled back', async () => {
        const before = await scenario.legacyDigest();
        await scenario.must('check');
        await scenario.must('plan --show-sql', 6);
        await scenario.must('plan --rehearse', 6);
        await scenario.must('migrate --yes', 6);
        await scenario.must('verify');
        await scenario.must(`report ${await scenario.file('page.html', '')}`);
        const folder = path.dirname(await scenario.file('page.html', ''));
        await scenario.must(`snapshot export --accounts 1 ${path.join(folder, 'case')}`);
        const init = await keylift(`init --config ${path.join(folder, 'made.json')}`, {
          env: { DATABASE_URL: scenario.db.url },
        });
        expect(init.exitCode, init.stderr).to.equal(0);
        await refusesUnknown(scenario, 'plan --holds', 'account_id');
        await refusesUnknown(scenario, 'switch --yes --accounts', 'account_id');
        for (const id of [1, 3, 4, 5]) await scenario.must(`explain ${String(id)}`);
        await scenario.must('status');
        const [moved] = await scenario.settings(2);
        expect(moved!['name']).to.equal(name);
        await scenario.must('switch --all --back --yes');
        await scenario.must('switch --all --yes');
        await scenario.must('finalize --yes');
        await scenario.must('verify');
        await scenario.must('rollback --yes');
        expect(await scenario.legacyDigest()).to.equal(before);
      });

      it('keeps a name that Settings gives a key, and one that the legacy table gets', async () => {
        await scenario.must('migrate --yes', 6);
        await scenario.db.query('update public.account_api_keys set name = $1 where id = 3', [`${name} 3`]);
        await scenario.db.query('update public.api_keys set name = $1 where id = 1', [`${name} 1`]);
        const { 0: renamed } = await scenario.db.query('select name from public.api_keys where id = 3');
        expect(renamed!['name']).to.equal(`${name} 3`);
        expect((await scenario.settings(2)).map((key) => key['name'])).to.include(`${name} 1`);
        await scenario.must('rollback --yes');
      });
    });
  }
});

/** A list that names what no text of this encoding can say is wrong in that line, and no error of keylift's. */
async function refusesUnknown(scenario: Scenario, command: string, column: string): Promise<void> {
  const list = await scenario.file('list.csv', `${column}\n\u{1f511}\n`);
  const { exitCode, stderr } = await keylift(`${command} ${list}`, { env: { DATABASE_URL: scenario.db.url } });
  expect([exitCode, stderr.includes('line 2')], stderr).to.deep.equal([2, true]);
}

const templateOf = (encoding: string): string => `keylift_${encoding.toLowerCase()}_${String(process.pid)}`;

/** A database that holds the legacy tables, to be copied. */
async function emptyDatabase(encoding: string): Promise<string> {
  const name = templateOf(encoding);
  const provider = (await serverMajor()) >= 15 ? 'locale_provider libc' : '';
  await onServer(async (client) => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(
      `create database ${name} template template0 encoding '${encoding}' lc_collate 'C' lc_ctype 'C' ${provider}`,
    );
  });
  await onServer((client) => client.query(LEGACY_SCHEMA), name);
  return name;
}
