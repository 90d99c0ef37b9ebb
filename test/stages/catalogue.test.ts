import { expect } from 'chai';
import pg from 'pg';
import { defaultSchema } from '../../src/mapping/default-schema.js';
import { catalogue } from '../../src/stages/catalogue.js';
import { ALL_STEPS } from '../../migrations/index.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

/** The operator's tables, the new table and the archive. */
const TABLES = /"public"\."(api_keys|apis|accounts|account_api_keys)"|keylift\.archived_keys/;
const DDL = /(?:^|;)\s*(CREATE|DROP|ALTER|TRUNCATE|VACUUM|ANALYZE|REVOKE|GRANT|LOCK)\b/m;
const WRITES = /\b(?:INSERT INTO|UPDATE|DELETE FROM) (keylift\.\w+)/g;

/** Tables of the ledger that are bookkeeping: who runs, what was decided, what happened. */
const BOOKKEEPING = new Set([
  'keylift.migration',
  'keylift.runs',
  'keylift.control',
  'keylift.events',
  'keylift.proofs',
  'keylift.holds',
]);

/** What Knex does for its own list of steps, and how a session begins. */
const OF_KNEX = /"knex_migrations(_lock)?"|^CREATE SCHEMA IF NOT EXISTS keylift$/i;
const OF_SESSIONS = /^(SET|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|DO \$do\$ BEGIN\s+IF pg_backend_pid)/;

/** Is this more than control of transactions, bookkeeping of the ledger and a look at the catalog? */
function mustBeListed(text: string): boolean {
  if (OF_KNEX.test(text)) return false;
  if (OF_SESSIONS.test(text) && !TABLES.test(text)) return false;
  const written = [...text.matchAll(WRITES)].map(([, table]) => table!);
  return TABLES.test(text) || DDL.test(text) || written.some((table) => !BOOKKEEPING.has(table));
}

const plain = (text: string): string => text.trim().replace(/;$/, '');

/** Every text of the catalogue, and the steps as Knex sends them, all statements of one at once. */
function listed(): Set<string> {
  const schema = defaultSchema();
  const texts = catalogue(schema).flatMap(({ statements }) =>
    statements.flatMap(({ text, condition, variants }) => [
      text,
      ...(condition === undefined ? [] : [condition.query]),
      ...(variants?.texts ?? []),
    ]),
  );
  const known = new Set(texts.map(plain));
  const steps = ALL_STEPS.flatMap(({ statements }) => [statements.up(schema), statements.down(schema)]);
  const joined = steps
    .filter((statements) => statements.every(({ text }) => known.has(plain(text))))
    .map((statements) => statements.map(({ text }) => text).join('\n\n'));
  return new Set([...known, ...joined.map(plain)]);
}

describe('the catalogue of SQL', () => {
  const sent = new Set<string>();
  const send = pg.Client.prototype.query;
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const { application_name: name } = (this as unknown as { connectionParameters: { application_name?: string } })
        .connectionParameters;
      const text = typeof args[0] === 'string' ? args[0] : (args[0] as { text?: string }).text;
      if (name?.startsWith('keylift') === true && text !== undefined) sent.add(plain(text));
      return (send as unknown as (...given: unknown[]) => unknown).apply(this, args);
    } as unknown as typeof send;
  });

  after(async () => {
    pg.Client.prototype.query = send;
    await scenario.close();
  });

  it('has every statement that a migration sends to the server', async () => {
    const holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
    const accounts = await scenario.file('accounts.csv', 'account_id\n1\n2\n');
    for (const line of [
      `migrate --yes --until verify --holds ${holds}`,
      'verify',
      'switch --cohort 50% --yes',
      `switch --accounts ${accounts} --yes`,
      `switch --accounts ${accounts} --back --yes`,
      'switch --cohort 50% --back --yes',
      'switch --all --yes',
      'migrate --yes',
      `rollback --yes --accounts ${accounts}`,
      'rollback --yes',
      'migrate --yes',
      'finalize --yes',
      'verify',
      'rollback --yes',
      'uninstall --yes',
      'migrate --yes',
      'finalize --yes',
      'finalize --purge --yes',
      'verify',
      'uninstall --yes',
    ])
      await scenario.must(line, 0, 6);
    const known = listed();
    const unlisted = [...sent].filter((text) => mustBeListed(text) && !known.has(text));
    expect(unlisted, `add to src/stages/catalogue.ts:\n${unlisted.join('\n\n')}`).to.deep.equal([]);
    expect([...sent].filter((text) => known.has(text)).length).to.be.greaterThan(60);
  });
});
