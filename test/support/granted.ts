/** Rights that a role ($1) has, of its own, through other roles or through PUBLIC; on every object of the database. */
export const RIGHTS = `
  with outer_schema as (select * from pg_namespace n where n.nspname !~ '^pg_(toast|temp)' and n.nspname not in ('pg_catalog', 'information_schema')),
  relation as (select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name from pg_class c join outer_schema n on n.oid = c.relnamespace),
  table_right as (select * from unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) with ordinality as p (privilege, place))
  select format('%s on %s', string_agg(privilege, ', ' order by place), thing) as may from (
    select 'schema ' || n.nspname as thing, p.privilege, p.place
      from outer_schema n, unnest('{USAGE,CREATE}'::text[]) with ordinality as p (privilege, place)
      where has_schema_privilege($1, n.oid, p.privilege)
    union all select c.name, p.privilege, p.place from relation c, table_right p
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege($1, c.oid, p.privilege)
    union all select c.name, format('%s (%s)', p.privilege, string_agg(a.attname, ', ' order by a.attnum)), p.place
      from relation c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped, table_right p
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and p.privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        and not has_table_privilege($1, c.oid, p.privilege) and has_column_privilege($1, c.oid, a.attnum, p.privilege)
      group by c.name, p.privilege, p.place
    union all select 'sequence ' || c.name, p.privilege, p.place
      from relation c, unnest('{USAGE,SELECT,UPDATE}'::text[]) with ordinality as p (privilege, place)
      where c.relkind = 'S' and has_sequence_privilege($1, c.oid, p.privilege)
    union all select 'function ' || format('%I.%I', n.nspname, f.proname), 'EXECUTE', 1
      from pg_proc f join outer_schema n on n.oid = f.pronamespace where has_function_privilege($1, f.oid, 'EXECUTE')
    -- The row type of a table has the rights of every table's: USAGE for PUBLIC, which gives nothing of the rows.
    union all select 'type ' || format('%I.%I', n.nspname, t.typname), 'USAGE', 1
      from pg_type t join outer_schema n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
      where t.typcategory <> 'A' and coalesce(c.relkind, 'c') = 'c' and has_type_privilege($1, t.oid, 'USAGE')) r
  group by thing order by thing`;

/** What keylift has created and granted to PUBLIC. Row types of tables follow their tables. */
export const PUBLIC = `
  select 'schema ' || n.nspname as thing from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a where n.nspname = 'keylift' and a.grantee = 0
  union all select c.oid::regclass::text from pg_class c, aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r' end, c.relowner))) a
    where (c.relnamespace = to_regnamespace('keylift') or c.oid = to_regclass('public.account_api_keys')) and a.grantee = 0
  union all select f.oid::regprocedure::text from pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    where f.pronamespace = to_regnamespace('keylift') and a.grantee = 0
  union all select t.oid::regtype::text from pg_type t join pg_class c on c.oid = t.typrelid, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
    where t.typnamespace = to_regnamespace('keylift') and c.relkind = 'c' and a.grantee = 0`;
