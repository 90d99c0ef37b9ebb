import { ODD, SMALL_IDS, type Shape } from './shape.js';

const q = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Ids of letters and digests of bytes. */
export const TEXTS: Shape[] = [
  {
    name: 'uuid ids, bytea digests, timestamptz(3), two schemas',
    tables: `
      create schema crm; create schema gate;
      create table crm.tenants (id uuid primary key default gen_random_uuid(), title text);
      create table gate.routes (id uuid primary key default gen_random_uuid(), slug text unique, public boolean);
      create table gate.api_keys (id uuid primary key default gen_random_uuid(), tenant_id uuid, route_id uuid,
        name text, digest bytea,
        created_at timestamptz(3) default now(), seen_at timestamptz(3), revoked_at timestamptz(3),
          expires_at timestamptz(3));
      create index on gate.api_keys using hash (digest);
      insert into crm.tenants select md5('a' || id)::uuid, name from seed.accounts;
      insert into gate.routes select md5('p' || id)::uuid, slug, kind = 'store' from seed.apis;
      insert into gate.api_keys select md5('k' || id)::uuid, md5('a' || account_id)::uuid, md5('p' || api_id)::uuid,
        name,
        case when token = '' then ''::bytea else sha256(convert_to(token, 'utf8')) end, created_at, last_used_at,
          revoked_at, expires_at from seed.api_keys`,
    config: {
      legacy: {
        keys: {
          table: 'gate.api_keys',
          id: 'id',
          token: 'digest',
          name: 'name',
          createdAt: 'created_at',
          lastUsedAt: 'seen_at',
          revokedAt: 'revoked_at',
          expiresAt: 'expires_at',
          api: 'route_id',
          account: 'tenant_id',
        },
        apis: { table: 'gate.routes', id: 'id', slug: 'slug', inStore: 'public' },
        accounts: { table: 'crm.tenants', id: 'id', name: 'title' },
      },
      target: { table: 'crm.account_api_keys' },
    },
    plain: {
      keys: `select id, tenant_id as account, route_id as api, digest as token, created_at, revoked_at, expires_at,
        revoked_at is null and (expires_at is null or expires_at > now()) as alive from gate.api_keys`,
      apis: `select id, case when public then 'store' else 'custom' end as kind from gate.routes`,
      accounts: 'select id from crm.tenants',
    },
    token: (word) => `sha256('${word}')`,
    tokenText: (token) => `encode(${token}, 'hex')`,
  },
  {
    name: 'mixed-case names, text ids, owner two joins away, nullable label',
    tables: `
      create table public."Organization" (id text primary key, "displayName" text);
      create table public."Project" (id text primary key, "organizationId" text not null);
      create table public."Environment" (id text primary key, "projectId" text not null);
      create table public."Endpoint" (id text primary key, "urlPath" text not null, "listing" text not null);
      create table public."ApiKey" (id text primary key, "hashedKey" text, label text, "environmentId" text,
        "endpointId" text,
        "createdAt" timestamp(3) default current_timestamp, "lastUsedAt" timestamp(3), "deletedAt" timestamp(3),
          "expiresAt" timestamp(3));
      create index on public."ApiKey" ("hashedKey");
      insert into public."Organization" select 'org_' || id, name from seed.accounts;
      insert into public."Project" select 'prj_' || id, 'org_' || id from seed.accounts;
      insert into public."Environment" select 'env_' || id || '_' || e, 'prj_' || id
        from seed.accounts, generate_series(1, 2) e;
      insert into public."Endpoint" select 'end_' || id, slug, case kind when 'store' then 'STORE' else 'PRIVATE' end
        from seed.apis;
      insert into public."ApiKey" select chr(97 + (id % 26 + 26)::int % 26) || '-' || id, token, name,
        'env_' || account_id || '_' || 1 + abs(id) % 2, 'end_' || api_id,
        created_at at time zone 'utc', last_used_at at time zone 'utc', revoked_at at time zone 'utc',
          expires_at at time zone 'utc' from seed.api_keys`,
    config: {
      legacy: {
        keys: {
          table: 'public."ApiKey"',
          id: 'id',
          token: 'hashedKey',
          name: 'label',
          createdAt: 'createdAt',
          lastUsedAt: 'lastUsedAt',
          revokedAt: 'deletedAt',
          expiresAt: 'expiresAt',
          api: 'endpointId',
          account: {
            sql: `(select p."organizationId" from public."Environment" e
              join public."Project" p on p.id = e."projectId" where e.id = k."environmentId")`,
          },
        },
        apis: { table: 'public."Endpoint"', id: 'id', slug: 'urlPath', inStore: { sql: `a.listing = 'STORE'` } },
        accounts: { table: 'public."Organization"', id: 'id', name: 'displayName' },
      },
      target: { table: 'public."OrganizationApiKey"' },
    },
    plain: {
      keys: `select k.id, p."organizationId" as account, k."endpointId" as api, k."hashedKey" as token,
        k."createdAt" as created_at, k."deletedAt" as revoked_at, k."expiresAt" as expires_at,
        k."deletedAt" is null and (k."expiresAt" is null or k."expiresAt" > now()) as alive
        from public."ApiKey" k left join public."Environment" e on e.id = k."environmentId" left
          join public."Project" p on p.id = e."projectId"`,
      apis: `select id, case listing when 'STORE' then 'store' else 'custom' end as kind from public."Endpoint"`,
      accounts: 'select id from public."Organization"',
    },
    newId: `'new-' || md5(random()::text)`,
  },
  {
    name: 'varchar(25) ids that a language orders, tokens that bytes do',
    tables: `
      create table public.accounts (id varchar(25) collate "und-x-icu" primary key, name varchar(30));
      create table public.apis (id varchar(25) collate "und-x-icu" primary key, slug text, kind text);
      create table public.api_keys (id varchar(25) collate "und-x-icu" primary key,
        account_id varchar(25) collate "und-x-icu", api_id varchar(25) collate "und-x-icu",
        name text, token text collate "C" unique deferrable, created_at timestamptz(0), last_used_at timestamptz,
          revoked_at timestamptz, expires_at timestamptz);
      insert into public.accounts select case when id % 2 = 0 then 'A_' else 'a-' end || id, name from seed.accounts;
      insert into public.apis select 'é' || id, slug, kind from seed.apis;
      insert into public.api_keys select (array['K_', 'k-', 'É', 'z ', '_', 'Å'])[1 + abs(id) % 6] || id,
        case when account_id % 2 = 0 then 'A_' else 'a-' end || account_id, 'é' || api_id,
        name, token, created_at, last_used_at, revoked_at, expires_at from (select distinct on (coalesce(token,
          id::text)) * from seed.api_keys order by coalesce(token, id::text), id) k`,
    config: { legacy: { keys: { table: 'api_keys', id: 'id' }, apis: {}, accounts: {} } },
    plain: {
      keys: `select id, account_id as account, api_id as api, token, created_at, revoked_at, expires_at,
        revoked_at is null and (expires_at is null or expires_at > now()) as alive from public.api_keys`,
      apis: 'select id, kind from public.apis',
      accounts: 'select id from public.accounts',
    },
    uniqueTokens: true,
    newId: `left('n' || md5(random()::text), 25)`,
  },
  {
    name: 'ids and tokens whose case does not count',
    tables: `
      create collation public.folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table public.accounts (id text collate public.folded primary key, name text);
      create table public.apis (id text collate public.folded primary key, slug text, kind text);
      create table public.api_keys (id text collate public.folded primary key default gen_random_uuid()::text,
        account_id text collate public.folded, api_id text collate public.folded,
        name text, token text collate public.folded, created_at timestamptz, last_used_at timestamptz,
          revoked_at timestamptz, expires_at timestamptz);
      create index on public.api_keys (token);
      insert into public.accounts select 'Acc' || id, name from seed.accounts;
      insert into public.apis select 'Api' || id, slug, kind from seed.apis;
      insert into public.api_keys select 'Key' || id, upper('acc') || account_id, lower('API') || api_id, name,
        case when id % 2 = 0 then upper(token) else token end,
        created_at, last_used_at, revoked_at, expires_at from seed.api_keys`,
    config: { legacy: { keys: { table: 'api_keys', id: 'id' }, apis: {}, accounts: {} } },
    plain: {
      keys: `select id, account_id as account, api_id as api, token, created_at, revoked_at, expires_at,
        revoked_at is null and (expires_at is null or expires_at > now()) as alive from public.api_keys`,
      apis: 'select id, kind from public.apis',
      accounts: 'select id from public.accounts',
    },
    idText: (id) => `lower(${id})`,
    tokenText: (token) => `lower(${token})`,
  },
  {
    name: 'names that SQL could trip over',
    tables: `
      create schema ${q(ODD.unicode)};
      create table ${q(ODD.unicode)}.${q(ODD.marks)} (${q(ODD.quote)} bigint primary key, "select" text);
      create table ${q(ODD.unicode)}.${q(ODD.quote)} (${q(ODD.marks)} bigint primary key, "from" text, "where" text);
      create table ${q(ODD.unicode)}.${q(ODD.dollar)} (${q(ODD.dollar)} bigint generated by default
        as identity (start 5000) primary key, ${q(ODD.marks)} bigint, ${q(ODD.quote)} bigint,
        "order" text, "token" text, "a-b" text, a_b text not null default 'ab', "user" timestamptz default now(),
          "mode" timestamptz, "ids" timestamptz, ${q(ODD.unicode)} timestamptz);
      insert into ${q(ODD.unicode)}.${q(ODD.marks)} select id, name from seed.accounts;
      insert into ${q(ODD.unicode)}.${q(ODD.quote)} select id, slug, kind from seed.apis;
      insert into ${q(ODD.unicode)}.${q(ODD.dollar)} select id, account_id, api_id, name, token, name, coalesce(name,
        ''), created_at, last_used_at, revoked_at, expires_at from seed.api_keys`,
    config: {
      legacy: {
        keys: {
          table: `${q(ODD.unicode)}.${q(ODD.dollar)}`,
          id: ODD.dollar,
          token: 'token',
          name: 'order',
          createdAt: 'user',
          lastUsedAt: 'mode',
          revokedAt: 'ids',
          expiresAt: ODD.unicode,
          api: ODD.quote,
          account: ODD.marks,
          carry: ['a-b', 'a_b'],
        },
        apis: {
          table: `${q(ODD.unicode)}.${q(ODD.quote)}`,
          id: ODD.marks,
          slug: 'from',
          inStore: { sql: `a."where" = 'store'` },
        },
        accounts: { table: `${q(ODD.unicode)}.${q(ODD.marks)}`, id: ODD.quote, name: 'select' },
      },
      target: { table: `${q(ODD.unicode)}.${q(`${'🔑'.repeat(14)}keys`)}` },
    },
    plain: {
      keys: `select ${q(ODD.dollar)} as id, ${q(ODD.marks)} as account, ${q(ODD.quote)} as api, token,
        "user" as created_at, ids as revoked_at, ${q(ODD.unicode)} as expires_at,
        ids is null and (${q(ODD.unicode)} is null or ${q(ODD.unicode)} > now()) as alive
          from ${q(ODD.unicode)}.${q(ODD.dollar)}`,
      apis: `select ${q(ODD.marks)} as id, "where" as kind from ${q(ODD.unicode)}.${q(ODD.quote)}`,
      accounts: `select ${q(ODD.quote)} as id from ${q(ODD.unicode)}.${q(ODD.marks)}`,
    },
  },
  {
    name: 'citext tokens',
    needs: { extension: 'citext' },
    tables: `
      create extension citext;
      create table public.accounts (id bigint primary key, name citext);
      create table public.apis (id bigint primary key, slug citext, kind citext);
      create table public.api_keys (id bigint primary key generated by default as identity (start 5000),
        account_id bigint, api_id bigint, name citext, token citext,
        created_at timestamptz default now(), last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz);
      create index on public.api_keys (token);
      insert into public.accounts select id, name from seed.accounts;
      insert into public.apis select id, slug, kind from seed.apis;
      insert into public.api_keys select id, account_id, api_id, name,
        case when id % 2 = 0 then upper(token) else token end, created_at, last_used_at, revoked_at, expires_at
          from seed.api_keys k where ${SMALL_IDS}`,
    config: {
      legacy: { keys: { table: 'api_keys', id: 'id' }, apis: { inStore: { sql: `a.kind = 'STORE'` } }, accounts: {} },
    },
    plain: {
      keys: `select id, account_id as account, api_id as api, token, created_at, revoked_at, expires_at,
        revoked_at is null and (expires_at is null or expires_at > now()) as alive from public.api_keys`,
      apis: 'select id, kind::text as kind from public.apis',
      accounts: 'select id from public.accounts',
    },
    tokenText: (token) => `lower(${token}::text)`,
  },
];
