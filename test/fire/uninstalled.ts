import { expect } from 'chai';
import type { TestDatabase } from '../support/database.js';
import { EXPECTED } from './platform.js';

/** A database on which a migration ran that has nothing of keylift any more. */
export async function isUninstalled(db: TestDatabase): Promise<boolean> {
  const [{ gone }] = (await db.query<{ gone: boolean }>(`select to_regnamespace('keylift') is null as gone`)) as [
    { gone: boolean },
  ];
  return gone;
}

/**
 * After a purge and an uninstall: nothing of keylift is left, each key of the platform is in one of the two tables, and
 * both tables draw ids that the other does not have. @returns keys compared
 */
export async function assertUninstalled(db: TestDatabase): Promise<number> {
  expect(await isUninstalled(db), 'schema keylift is gone').to.equal(true);
  expect(await db.query(`select tgname from pg_trigger where tgname like 'keylift%'`)).to.deep.equal([]);
  expect(await db.query(`select from pg_class where relname like '%keylift%'`)).to.deep.equal([]);
  const lost = await db.query(`
    select k.id from ${EXPECTED} k
    where not exists (select from public.api_keys o where o.id = k.id and o.token is not distinct from k.token)
      and not exists (select from public.account_api_keys t where t.token = k.token and t.account_id = k.account_id)`);
  expect(lost, 'keys of the platform').to.deep.equal([]);
  const native = await db.query(`
    select b.id from public.expected_born b
    where not exists (select from public.account_api_keys t where t.id = b.id and t.origin_api_id is null)`);
  expect(native, 'keys that were made in Settings').to.deep.equal([]);
  const [drawn] = await db.query<{ free: boolean }>(`
    with drawn as (
      insert into public.account_api_keys (account_id, name, token) values (1, 'last', 'a token after all') returning id)
    select not exists (select from public.api_keys k where k.id = drawn.id) as free from drawn`);
  expect(drawn, 'an id that no per-API key has').to.deep.equal({ free: true });
  const [{ keys }] = (await db.query<{ keys: number }>(`select count(*)::int as keys from ${EXPECTED}`)) as [
    { keys: number },
  ];
  return keys;
}
