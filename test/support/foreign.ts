import type { TestDatabase } from './database.js';

/** Another platform's tables: uuid ids, digests as bytes, integers for APIs, owners one join away, no names of keys. */
export const FOREIGN_SETTINGS = {
  legacy: {
    keys: {
      table: 'app."ApiKey"',
      id: 'Id',
      token: 'Digest',
      name: null,
      createdAt: 'createdAt',
      lastUsedAt: null,
      revokedAt: null,
      expiresAt: 'expiresAt',
      api: 'serviceId',
      account: { sql: '(select e."ownerId" from app."Environment" e where e.id = k."environmentId")' },
      carry: ['prefix'],
      where: { sql: 'k.prefix is not null' },
    },
    apis: { table: 'app."Service"', id: 'Id', slug: 'slug', inStore: 'public' },
    accounts: { table: 'app."Owner"', id: 'Id', name: null },
  },
  target: { table: 'app."AccountKey"' },
};

export const foreignId = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** The tables, empty. */
export const FOREIGN_TABLES = `
  create schema app;
  create table app."Owner" ("Id" text primary key);
  create table app."Environment" (id int primary key, "ownerId" text not null);
  create table app."Service" ("Id" int primary key, slug varchar(40) not null, public boolean);
  create table app."ApiKey" ("Id" uuid primary key, "Digest" bytea, "createdAt" timestamp(3) not null default now(),
    "expiresAt" timestamp(3),
    "serviceId" int not null, "environmentId" int not null, prefix text);`;

/** One that moves, one of a custom API, twins of two environments, and one that the mapping leaves out. */
export async function plantForeign(db: TestDatabase): Promise<void> {
  const id = foreignId;
  await db.query(`
    ${FOREIGN_TABLES}
    insert into app."Owner" values ('own-é');
    insert into app."Environment" values (1, 'own-é'), (2, 'own-é');
    insert into app."Service" values (1, 'ocr', true), (2, 'invoices', true), (3, 'mine', false);
    insert into app."ApiKey" values
      ('${id(1)}', sha256('one'), '2021-01-01 00:00:00.123', null, 1, 1, 'a'), ('${id(2)}', sha256('two'),
        '2021-01-02', null, 3, 1, 'b'),
      ('${id(3)}', sha256('twins'), '2021-01-03', null, 1, 1, 'c'), ('${id(4)}', sha256('twins'), '2021-01-04', null,
        2, 2, 'd'),
      ('${id(5)}', sha256('no prefix'), '2021-01-05', null, 1, 1, null)`);
}
