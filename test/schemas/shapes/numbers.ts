import { SMALL_IDS, type Shape } from './shape.js';

/** Ids of numbers: identity and serial columns, hashed tokens, dates without zone. */
export const NUMBERS: Shape[] = [
  {
    name: 'integer identity ids, char(64) digests, timestamp(0) without zone',
    tables: `
      create table public.users (user_no integer generated always as identity primary key, login varchar(40));
      create table public.services (service_no smallint generated always as identity primary key,
        code varchar(30) not null, visibility text not null);
      create table public.tokens (
        token_no integer generated always as identity primary key, user_no integer, service_no smallint,
          label varchar(60),
        digest char(64), created timestamp(0) default now(), used timestamp(0), revoked timestamp(0),
          valid_until timestamp(0));
      create index on public.tokens (digest);
      insert into public.users overriding system value select id, name from seed.accounts;
      insert into public.services overriding system value select id, slug, kind from seed.apis;
      insert into public.tokens overriding system value
        select id, account_id, case when api_id < 1000 then api_id end, name, encode(sha256(convert_to(token, 'utf8')),
          'hex'), created_at, last_used_at, revoked_at, expires_at
        from seed.api_keys k where ${SMALL_IDS};
      select setval(pg_get_serial_sequence('public.tokens', 'token_no'), 1000)`,
    config: {
      legacy: {
        keys: {
          table: 'tokens',
          id: 'token_no',
          token: 'digest',
          name: 'label',
          createdAt: 'created',
          lastUsedAt: 'used',
          revokedAt: 'revoked',
          expiresAt: 'valid_until',
          api: 'service_no',
          account: 'user_no',
        },
        apis: { table: 'services', id: 'service_no', slug: 'code', inStore: { sql: `a.visibility = 'store'` } },
        accounts: { table: 'users', id: 'user_no', name: 'login' },
      },
    },
    plain: {
      keys: `select token_no as id, user_no as account, service_no as api, digest as token, created as created_at,
        revoked as revoked_at, valid_until as expires_at,
        revoked is null and (valid_until is null or valid_until > now()) as alive from public.tokens`,
      apis: 'select service_no as id, visibility as kind from public.services',
      accounts: 'select user_no as id from public.users',
    },
    token: (word) => `encode(sha256('${word}'), 'hex')::char(64)`,
  },
  {
    name: 'bigint ids from a sequence of another name, nothing optional, rows narrowed by where',
    tables: `
      create schema ids; create schema shop; create sequence ids.everything start 5000;
      create table shop.owners (id bigint primary key default nextval('ids.everything'));
      create table shop.products (id bigint primary key default nextval('ids.everything'), path text,
        open boolean not null);
      create table shop.credentials (id bigint primary key default nextval('ids.everything'), owner bigint,
        product bigint,
        secret varchar(200) not null, type text not null, inserted timestamptz not null default now());
      create unique index on shop.credentials (type, secret, id);
      insert into shop.owners select id from seed.accounts;
      insert into shop.products select id, slug, kind = 'store' from seed.apis;
      insert into shop.credentials select id, account_id, api_id, token, 'per-api', created_at from seed.api_keys
        where token is not null and created_at is not null;
      insert into shop.credentials (owner, product, secret, type) select account_id, api_id, token || id, 'password'
        from seed.api_keys where token is not null`,
    config: {
      legacy: {
        keys: {
          table: 'shop.credentials',
          id: 'id',
          token: 'secret',
          name: null,
          createdAt: 'inserted',
          lastUsedAt: null,
          revokedAt: null,
          expiresAt: null,
          api: 'product',
          account: 'owner',
          where: { sql: `k.type = 'per-api'` },
        },
        apis: { table: 'shop.products', id: 'id', slug: 'path', inStore: 'open' },
        accounts: { table: 'shop.owners', id: 'id', name: null },
      },
      target: { table: 'ids.settings_keys' },
    },
    plain: {
      keys: `select id, owner as account, product as api, secret as token, inserted as created_at,
        null::timestamptz as revoked_at, null::timestamptz as expires_at, true as alive
        from shop.credentials where type = 'per-api'`,
      apis: `select id, case when open then 'store' else 'custom' end as kind from shop.products`,
      accounts: 'select id from shop.owners',
    },
  },
];
