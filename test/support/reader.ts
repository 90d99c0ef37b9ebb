import type { TestDatabase } from './database.js';

/** A role that may read the three legacy tables and nothing else. */
export interface Reader {
  url: string;
  drop(): Promise<void>;
}

const PASSWORD = 'only-reads-1234';

export async function createReader(db: TestDatabase): Promise<Reader> {
  const name = `reader_of_${db.name}`;
  await db.query(`
    create role ${name} login password '${PASSWORD}';
    grant usage on schema public to ${name};
    grant select on public.accounts, public.apis, public.api_keys to ${name}`);
  const url = new URL(db.url);
  url.username = name;
  url.password = PASSWORD;
  return {
    url: url.href,
    drop: async () => {
      await db.query(`drop owned by ${name}; drop role ${name}`);
    },
  };
}

/**
 * Everything that is named in a database, temporary things included; the schemas for those stay when they are empty.
 */
export async function catalogDigest(db: TestDatabase): Promise<string> {
  const [row] = await db.query<{ digest: string }>(`
    select md5(string_agg(thing, ',' order by thing)) as digest from (
      select 'schema ' || nspname || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_(toast|temp)'
      union all select 'relation ' || oid::text || relname || relkind::text || coalesce(relacl::text, '') from pg_class
      union all select 'function ' || oid::text || proname from pg_proc
      union all select 'trigger ' || oid::text || tgname from pg_trigger
      union all select 'type ' || oid::text || typname from pg_type) named (thing)`);
  return row!.digest;
}
