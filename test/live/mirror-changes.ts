import { tokenOf } from '../support/seed.js';

const DAY = '2025-01-01 00:00:00.000001+00';

/**
 * What the old release does, and what must come of it is asked of the model. Key 1 is acme's for invoices, 3 for its
 * forms.
 */
export const LEGACY: Record<string, string> = {
  insert: `insert into public.api_keys (account_id, api_id, name, token) values (1, 2, 'new', '${tokenOf('new')}')`,
  "insert of a custom API's key": `insert into public.api_keys (account_id, api_id, name, token)
    values (1, 4, 'new', '${tokenOf('new')}')`,
  'insert of a dead key': `insert into public.api_keys (account_id, api_id, token, revoked_at)
    values (1, 2, '${tokenOf('new')}', now())`,
  'insert that points nowhere': `insert into public.api_keys (account_id, api_id, token)
    values (1, 98, '${tokenOf('new')}'), (97, 1, '${tokenOf('newer')}'), (1, 1, null), (1, 1, '')`,
  rename: `update public.api_keys set name = '  نام 🔑 ' where id = 1`,
  'a name that goes': `update public.api_keys set name = null where id = 1`,
  'rotation of a token': `update public.api_keys set token = '${tokenOf('rotated')}' where id = 1`,
  'swap of two tokens': `update public.api_keys set token = case id when 1 then '${tokenOf(2)}' else '${tokenOf(1)}'
    end where id in (1, 2)`,
  'round of three tokens': `update public.api_keys
    set token = case id when 1 then '${tokenOf(2)}' when 2 then '${tokenOf(6)}' else '${tokenOf(1)}' end
      where id in (1, 2, 6)`,
  'a token that goes': `update public.api_keys set token = null where id = 1`,
  revocation: `update public.api_keys set revoked_at = '${DAY}' where id = 1`,
  'un-revocation': `update public.api_keys set revoked_at = null where id = 4`,
  expiry: `update public.api_keys set expires_at = '${DAY}' where id = 1`,
  'expiry taken back': `update public.api_keys set expires_at = null where id = 5`,
  'step to a custom API': `update public.api_keys set api_id = 4 where id = 1`,
  'step into the store': `update public.api_keys set api_id = 2 where id = 3`,
  'step to a custom API and back': `update public.api_keys set api_id = 4 where id = 1;
    update public.api_keys set api_id = 3 where id = 1`,
  'change of account': `update public.api_keys set account_id = 2 where id = 1`,
  'change to an account that is not there': `update public.api_keys set account_id = 99 where id = 1`,
  'another creation date': `update public.api_keys set created_at = '${DAY}' where id = 1`,
  delete: `delete from public.api_keys where id = 1`,
  'delete and insert of the same id': `delete from public.api_keys where id = 1;
    insert into public.api_keys (id, account_id, api_id, token) values (1, 2, 1, '${tokenOf('again')}')`,
  'new id': `update public.api_keys set id = 4001 where id = 1`,
  'exchange of two ids': `update public.api_keys set id = -1 where id = 1;
    update public.api_keys set id = 1 where id = 2; update public.api_keys set id = 2 where id = -1`,
  'at once, a name and a rotation': `update public.api_keys set name = 'both', token = '${tokenOf('rotated')}'
    where id = 1`,
  'at once, a name and another account': `update public.api_keys set name = 'both', account_id = 2 where id = 1`,
  'at once, a name and another API of the store': `update public.api_keys set name = 'both', api_id = 2 where id = 1`,
  'at once, a revocation and a step to a custom API': `update public.api_keys set revoked_at = '${DAY}', api_id = 4
    where id = 1`,
  'at once, a revocation and another creation date': `update public.api_keys
    set revoked_at = '${DAY}', created_at = '${DAY}' where id = 1`,
  'at once, a name and a new id': `update public.api_keys set name = 'both', id = 4001 where id = 1`,
  'an id comes back whose row went unseen': `
    set session_replication_role = replica; delete from public.api_keys where id = 40; reset session_replication_role;
    insert into public.api_keys (id, account_id, api_id, name, token) values (40, 1, 2, 'new', '${tokenOf('new')}')`,
  'a twin appears': `insert into public.api_keys (account_id, api_id, token) values (1, 2, '${tokenOf(1)}')`,
  'an earlier twin appears': `insert into public.api_keys (account_id, api_id, token, created_at)
    values (1, 2, '${tokenOf(1)}', '1999-01-01')`,
  'a dead twin appears': `insert into public.api_keys (account_id, api_id, token, revoked_at)
    values (1, 2, '${tokenOf(1)}', now())`,
  "another account's twin appears": `insert into public.api_keys (account_id, api_id, token)
    values (2, 2, '${tokenOf(1)}')`,
  'the kept twin goes': `delete from public.api_keys where id = 21`,
  'another twin goes': `delete from public.api_keys where id = 20`,
  'one of three twins is revoked': `update public.api_keys set revoked_at = now() where id = 22`,
  'one after another, three twins are revoked': `update public.api_keys set revoked_at = now() where id = 22;
    update public.api_keys set revoked_at = now() where id = 20;
    update public.api_keys set revoked_at = now() where id = 21`,
  'a conflicting twin goes': `delete from public.api_keys where id = 28`,
  'conflicting twins come to one life': `update public.api_keys set revoked_at = null where id = 28`,
  "a shared token is one account's": `update public.api_keys set account_id = 1 where id = 32`,
  'an orphan finds its account': `update public.api_keys set account_id = 1 where id = 42`,
  'an orphan finds its API': `update public.api_keys set api_id = 1 where id = 40`,
  'an orphan finds a custom API': `update public.api_keys set api_id = 4 where id = 40`,
  'an orphan goes': `delete from public.api_keys where id = 40`,
  'a key without a date gets one': `update public.api_keys set created_at = now() where id = 46`,
  'ON CONFLICT DO UPDATE, met and not': `
    insert into public.api_keys (id, account_id, api_id, name, token) values (1, 1, 1, 'upserted', 'x'), (4002, 1, 1,
      'upserted', '${tokenOf('upserted')}')
    on conflict (id) do update set name = excluded.name, revoked_at = now()`,
  'ON CONFLICT DO NOTHING': `insert into public.api_keys (id, account_id, api_id, token) values (1, 1, 1, 'x')
    on conflict do nothing`,
  MERGE: `
    merge into public.api_keys k using (values (1, 'a'), (2, 'b'), (4003, 'c')) as v (id, name) on k.id = v.id
    when matched and v.id = 1 then delete when matched then update set name = v.name, revoked_at = now()
    when not matched then insert (id, account_id, api_id, name, token)
      values (v.id, 1, 2, v.name, '${tokenOf('merged')}')`,
  'writing CTEs': `
    with gone as (delete from public.api_keys where id in (1, 2) returning *), changed as (update public.api_keys
      set name = 'cte' where id in (6, 20, 60) returning id)
    insert into public.api_keys (id, account_id, api_id, name, token, created_at) select id + 5000, account_id, api_id,
      name, token, created_at from gone`,
  nothing: `update public.api_keys set name = name where id < 100; delete from public.api_keys where false;
    insert into public.api_keys (id) select 1 where false`,
  'all of it': `update public.api_keys set name = 'all', expires_at = null, revoked_at = null, api_id = 1,
    account_id = 1 where id > 0`,
};

/** What the new release does in Settings, and the legacy rows that must come of it. */
export const SETTINGS: Record<string, { sql: string; legacy: string; rows: unknown[] }> = {
  rename: {
    sql: `update public.account_api_keys set name = 'in Settings' where id = 1`,
    legacy: 'select name from public.api_keys where id = 1',
    rows: [{ name: 'in Settings' }],
  },
  'rename of a merged key': {
    sql: `update public.account_api_keys set name = 'in Settings' where id = 21`,
    legacy: 'select name from public.api_keys where id in (20, 21, 22) order by id',
    rows: [{ name: 'second' }, { name: 'in Settings' }, { name: 'same moment' }],
  },
  revocation: {
    sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 1`,
    legacy: 'select revoked_at::text from public.api_keys where id = 1',
    rows: [{ revoked_at: DAY }],
  },
  'revocation of a merged key': {
    sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 21`,
    legacy: `select id::int from public.api_keys where revoked_at = '${DAY}' order by id`,
    rows: [{ id: 20 }, { id: 21 }, { id: 22 }],
  },
  'un-revocation': {
    sql: `update public.account_api_keys set revoked_at = null where id = 4`,
    legacy: 'select revoked_at from public.api_keys where id = 4',
    rows: [{ revoked_at: null }],
  },
  'un-revocation of a merged dead key': {
    sql: `update public.account_api_keys set revoked_at = null where id = 23`,
    legacy: 'select id::int from public.api_keys where id in (23, 24) and revoked_at is null order by id',
    rows: [{ id: 23 }, { id: 24 }],
  },
  'expiry of a merged key': {
    sql: `update public.account_api_keys set expires_at = '${DAY}' where id = 25`,
    legacy: `select id::int from public.api_keys where expires_at = '${DAY}' order by id`,
    rows: [{ id: 25 }, { id: 26 }],
  },
  "rotation of a merged key's token": {
    sql: `update public.account_api_keys set token = '${tokenOf('r')}' where id = 21`,
    legacy: `select id::int from public.api_keys where token = '${tokenOf('r')}' order by id`,
    rows: [{ id: 20 }, { id: 21 }, { id: 22 }],
  },
  delete: {
    sql: 'delete from public.account_api_keys where id = 1',
    legacy: 'select from public.api_keys where id = 1',
    rows: [],
  },
  'delete of a merged key': {
    sql: 'delete from public.account_api_keys where id = 21',
    legacy: 'select from public.api_keys where id in (20, 21, 22)',
    rows: [],
  },
  'writing CTEs': {
    sql: `with gone as (delete from public.account_api_keys where id = 1) update public.account_api_keys
      set name = 'cte', revoked_at = '${DAY}' where id = 2`,
    legacy: 'select id::int, name from public.api_keys where id in (1, 2)',
    rows: [{ id: 2, name: 'cte' }],
  },
  'all of it': {
    sql: `update public.account_api_keys set revoked_at = '${DAY}'`,
    legacy: `select count(*)::int = (select count(*)::int from public.api_keys k
      join public.account_api_keys t on t.id = k.id) + (select count(*)::int from keylift.outcomes
        where outcome = 'merge') as all from public.api_keys where revoked_at = '${DAY}'`,
    rows: [{ all: true }],
  },
};
