import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { TOKEN_MARK } from '../support/seed.js';

/**
 * Beside the legacy table: what its rows must be, written by the platform in the same transaction as the change itself.
 */
export const EXPECTED = 'public.expected_keys';

/**
 * Beside that: the keys born in Settings, the keys that the platform leaves alone (the holds name key 60), and those
 * that ever had a twin. When a row of several was used last cannot
 * be told from the account key that stood for them all.
 */
export const EXPECTED_TABLES = `
  create table ${EXPECTED} as table public.api_keys;
  alter table ${EXPECTED} add primary key (id);
  create table public.expected_born (id bigint primary key);
  create table public.untouched as select 60::bigint as id;
  create table public.expected_twins as select k.id from public.api_keys k where (select count(*)
    from public.api_keys o where o.token = k.token) > 1`;

const SOME_KEY = `(select id from ${EXPECTED} where id not in (select id from public.untouched)
  order by random() limit 1)`;

/** A change by the old release, and the same change to what is expected, in one statement. */
const legacy = (set: string, and = ''): string => `
  with changed as (update public.api_keys k set ${set} where id = ${SOME_KEY} ${and} returning k.*)
  update ${EXPECTED} e set (name, token, api_id, revoked_at, last_used_at) = (c.name, c.token, c.api_id, c.revoked_at,
    greatest(e.last_used_at, c.last_used_at))
  from changed c where e.id = c.id`;

const legacyInsert = (account: string, token: string): string => `
  with made as (insert into public.api_keys (account_id, api_id, name, token, created_at)
    select ${account}, 1 + floor(random() * 5)::int, $1::text, ${token}, clock_timestamp() from ${EXPECTED}
      where id = ${SOME_KEY} returning *),
  twins as (insert into public.expected_twins select unnest(array[k.id, made.id]) from ${EXPECTED} k
    join made on made.token = k.token)
  insert into ${EXPECTED} select * from made`;

/** Account keys that stand for one row alone: what becomes of twins is the rules' business, not this platform's. */
const SOME_ACCOUNT_KEY = `
  (select t.id from public.account_api_keys t where t.origin_api_id is not null
     and not exists (select from ${EXPECTED} o where o.token = t.token and o.id <> t.id)
     and t.id not in (select id from public.untouched) order by random() limit 1)`;

/** A change in Settings. What is expected of the legacy row follows. */
const settings = (set: string, { and = '', follows }: { and?: string; follows: string }): string => `
  with changed as (update public.account_api_keys t set ${set} where id = ${SOME_ACCOUNT_KEY} ${and} returning t.*)
  update ${EXPECTED} e set ${follows} from changed c where e.id = c.id`;

/** $1 is a word that was never used. */
const WRITES = [
  legacyInsert('account_id', `'${TOKEN_MARK}live ' || $1::text`),
  legacyInsert('1 + floor(random() * 5)::int', `'${TOKEN_MARK}live ' || $1::text`),
  legacyInsert('account_id', 'token'),
  legacy('name = $1::text'),
  legacy('revoked_at = clock_timestamp()', 'and revoked_at is null and $1::text is not null'),
  legacy(`token = '${TOKEN_MARK}turned ' || $1::text`),
  legacy('api_id = 1 + api_id % 5', 'and $1::text is not null'),
  legacy('last_used_at = clock_timestamp()', 'and $1::text is not null'),
  legacy('last_used_at = clock_timestamp()', 'and $1::text is not null'),
  `with gone as (delete from public.api_keys where id = ${SOME_KEY} and $1::text is not null returning id) delete
    from ${EXPECTED} e using gone where e.id = gone.id`,
  settings('name = $1::text', { follows: 'name = c.name' }),
  settings('revoked_at = clock_timestamp()', {
    and: 'and revoked_at is null and $1::text is not null',
    follows: 'revoked_at = c.revoked_at',
  }),
  // A gateway writes last use where its answer came from.
  settings('last_used_at = clock_timestamp()', {
    and: `and $1::text is not null and exists (select from keylift.authorize(t.token, t.origin_api_id) f
      where f.source = 'account')`,
    follows: 'last_used_at = c.last_used_at',
  }),
  `with gone as (delete from public.account_api_keys where id = ${SOME_ACCOUNT_KEY} and $1::text is not null
    returning id) delete from ${EXPECTED} e using gone where e.id = gone.id`,
  `with born as (insert into public.account_api_keys (account_id, name, token) select 1 + floor(random() * 4)::int,
    $1::text, '${TOKEN_MARK}born ' || $1::text returning id)
   insert into public.expected_born select id from born`,
];

/**
 * What a platform must expect: to be turned away by somebody who writes the same row, by a table that is not there yet
 * or any more, and, from finalize on, by the guard.
 */
const TOLERATED = new Set(['40P01', '40001', '55000', '42P01', '42883', '3F000']);
const PACE_MS = 3;

/** A platform at work on a database, in both tables, until told to stop. It reconnects when its server was away. */
export class Platform {
  /** Statements that changed something and were committed. */
  written = 0;
  /** What was refused and should not have been. */
  readonly refused: unknown[] = [];
  private over = false;
  private readonly working: Promise<void>;

  private constructor(private readonly url: string) {
    this.working = this.work();
  }

  static start(url: string): Platform {
    return new Platform(url);
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.working;
  }

  private async work(): Promise<void> {
    while (!this.over) {
      const client = new pg.Client({ connectionString: this.url, application_name: 'platform' });
      const lost = { connection: false };
      client.on('error', () => {
        lost.connection = true;
      });
      try {
        await client.connect();
        while (!this.over && !lost.connection) await this.write(client, lost);
      } catch {
        await pause(PACE_MS * 10); // the server is away
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  private async write(client: pg.Client, lost: { connection: boolean }): Promise<void> {
    const statement = WRITES[Math.floor(Math.random() * WRITES.length)]!;
    try {
      const { rowCount } = await client.query(statement, [Math.random().toString(36).slice(2)]);
      this.written += rowCount ?? 0;
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      // Without a code, or with one of class 57 or 08, the connection is gone; what the statement did is all or
      // nothing.
      if (!/^[0-9A-Z]{5}$/.test(code) || /^(57|08)/.test(code)) lost.connection = true;
      else if (!TOLERATED.has(code)) this.refused.push(error);
    }
    await pause(PACE_MS); // the pace of a platform, not a wait for anything
  }
}
