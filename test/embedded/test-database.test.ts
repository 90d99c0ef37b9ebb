import { expect } from 'chai';
import { createTestDatabase, onServer, templateDatabase, useTestDatabase } from '../support/database.js';

describe('createTestDatabase', () => {
  const shared = useTestDatabase();
  const fresh = useTestDatabase({ each: true });

  it('brings the empty legacy tables', async () => {
    for (const table of ['accounts', 'apis', 'api_keys']) {
      expect(await shared().query(`select * from public.${table}`)).to.eql([]);
    }
    await fresh().query(`insert into accounts (kind, name) values ('user', 'Ann')`);
  });

  it('gives every test its own, where that is asked for', async () => {
    expect(await fresh().query('select name from accounts')).to.eql([]);
    expect(fresh().name).not.to.equal(shared().name);
  });

  it('clones a template that is made once, however many ask at the same time', async () => {
    const sql = 'create table t as select $$x$$::text as v';
    const [one, two] = await Promise.all([templateDatabase(sql), templateDatabase(sql)]);
    expect(one).to.equal(two);
    const clones = await Promise.all([1, 2, 3].map(() => createTestDatabase({ template: one })));
    for (const clone of clones) expect(await clone.query('select v from t')).to.eql([{ v: 'x' }]);
    await Promise.all(clones.map((clone) => clone.drop()));
  });

  it('drops with whoever is connected, twice without harm', async () => {
    const database = await createTestDatabase({ schema: 'none' });
    const client = await database.connect();
    expect((await client.query('select to_regclass($1) as found', ['public.api_keys'])).rows).to.eql([{ found: null }]);
    await database.drop();
    await database.drop();
    const found = await onServer((server) =>
      server.query('select 1 from pg_database where datname = $1', [database.name]),
    );
    expect(found.rowCount).to.equal(0);
  });

  it('answers with the rows of the last of several statements', async () => {
    expect(await shared().query('select 1 as n; select 2 as n')).to.eql([{ n: 2 }]);
  });
});
