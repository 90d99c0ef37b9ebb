import type pg from 'pg';
import type { TestDatabase } from './database.js';

/**
 * What a platform may be told while somebody else writes the same rows, or while a table is not there yet or any more.
 */
const TOLERATED = new Set(['40P01', '40001', '23505', '55000', '42P01']);

/**
 * What the old release does in the legacy table, and the new one in Settings; `$1` is a random key, `$2` a random text.
 */
const WRITES = [
  `insert into public.api_keys (account_id, api_id, name, token, created_at)
    values (1 + $1::bigint % 20, 1 + $1::bigint % 3, $2::text, 'live ' || $2::text, now())`,
  `insert into public.api_keys (account_id, api_id, name, token, created_at) select account_id, 1 + $1::bigint % 3,
    $2::text, token, now() from public.api_keys where id = $1::bigint`,
  `update public.api_keys set name = $2::text where id = $1::bigint`,
  `update public.api_keys set revoked_at = now() where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set revoked_at = null where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set api_id = 1 + (api_id % 4) where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set token = 'turned ' || $2::text where id = $1::bigint`,
  `update public.api_keys set last_used_at = now() where id = $1::bigint and $2::text is not null`,
  `delete from public.api_keys where id = $1::bigint and $2::text is not null`,
  `update public.account_api_keys set name = $2::text where id = $1::bigint`,
  `update public.account_api_keys set revoked_at = now() where id = $1::bigint and $2::text is not null`,
  `update public.account_api_keys set last_used_at = now() where id = $1::bigint and $2::text is not null`,
  `insert into public.account_api_keys (account_id, name, token) values (1 + $1::bigint % 20, $2::text,
    'born ' || $2::text)`,
  `delete from public.account_api_keys where id = $1::bigint and $2::text is not null`,
];

export interface PlatformOptions {
  /** Ids are drawn from 1 to this. */
  keys: number;
  /** What its sessions may be told beside that: `53100` while a disk is full. */
  tolerated?: readonly string[];
  /** Run in each session first. */
  begin?: string;
}

/** Two sessions of the platform at work until told to stop. */
export class Platform {
  written = 0;
  /** How often each SQLSTATE was met and the statement dropped, as a platform that gives up would. */
  readonly met: Record<string, number> = {};
  readonly refused: unknown[] = [];
  private over = false;
  private readonly sessions: Promise<void>[] = [];
  private constructor(private readonly options: PlatformOptions) {}

  static async start(db: TestDatabase, options: PlatformOptions): Promise<Platform> {
    const platform = new Platform(options);
    for (const client of [await db.connect(), await db.connect()]) platform.sessions.push(platform.write(client));
    return platform;
  }

  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.sessions);
  }

  private async write(client: pg.Client): Promise<void> {
    if (this.options.begin !== undefined) await client.query(this.options.begin);
    while (!this.over) {
      const statement = WRITES[Math.floor(Math.random() * WRITES.length)]!;
      try {
        await client.query(statement, [
          String(1 + Math.floor(Math.random() * this.options.keys)),
          Math.random().toString(36).slice(2),
        ]);
        this.written += 1;
      } catch (error) {
        this.turnedAway(error as { code: string });
      }
      await new Promise((resolve) => setTimeout(resolve, 4)); // the pace of a platform, not a wait for anything
    }
  }

  private turnedAway(error: { code: string }): void {
    this.met[error.code] = (this.met[error.code] ?? 0) + 1;
    if (!TOLERATED.has(error.code) && this.options.tolerated?.includes(error.code) !== true) this.refused.push(error);
  }
}
