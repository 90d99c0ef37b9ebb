import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestDatabase } from '../support/database.js';
import { TOKEN_MARK } from '../support/seed.js';

/** Where something secret was found, and what of it; the secret itself is not repeated by a failing test either. */
export interface Leak {
  where: string;
  what: string;
}

/**
 * What must be nowhere: what every token begins with, in every writing it might leave in, and words given as passwords.
 */
export class Secrets {
  readonly #words: readonly (readonly [what: string, word: string])[];

  constructor(passwords: readonly string[]) {
    const hex = Buffer.from(TOKEN_MARK).toString('hex');
    this.#words = [
      ['a token', TOKEN_MARK],
      ['a token in hex', hex],
      ['a token in JSON escapes', 's\\u00e9cret+'],
      ['a token in a URL', encodeURIComponent(TOKEN_MARK)],
      ['a token in base64', Buffer.from(TOKEN_MARK).toString('base64').slice(0, 10)],
      ...passwords.map((word): [string, string] => ['a password', word]),
    ];
  }

  /** What of it a text holds. */
  in(text: string, where: string): Leak[] {
    return this.#words.filter(([, word]) => text.includes(word)).map(([what]) => ({ where, what }));
  }
}

/** Looks at what others can see of keylift while it runs: its statements, and the command lines of all processes. */
export class Watch {
  readonly leaks: Leak[] = [];
  samples = 0;
  #over = false;
  #ended: Promise<void> | undefined;

  constructor(
    private readonly db: TestDatabase,
    private readonly secrets: Secrets,
  ) {}

  begin(): void {
    this.#ended = this.#look();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#ended;
  }

  async #look(): Promise<void> {
    while (!this.#over) {
      const statements = await this.db.query<{ query: string }>(
        `select query from pg_stat_activity where application_name <> 'the-test'`,
      );
      for (const { query } of statements) this.#take(query, 'pg_stat_activity');
      for (const line of await commandLines()) this.#take(line, 'the command line of a process');
      this.samples += 1;
    }
  }

  #take(text: string, where: string): void {
    this.leaks.push(...this.secrets.in(text, where));
  }
}

/** Of every process on this machine that we may look at; none where there is no /proc. */
export async function commandLines(): Promise<string[]> {
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  return Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

/** Ledger columns, but for the two that keep whole rows: of merged keys, and of archived ones. */
export async function ledgerLeaks(db: TestDatabase, secrets: Secrets): Promise<Leak[]> {
  const tables = await db.query<{ name: string }>(`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace = to_regnamespace('keylift') and c.relkind in ('r', 'p') and c.relname <> 'archived_keys'`);
  const rows = await Promise.all(
    tables.map(async ({ name }) =>
      (await db.query<{ row: string }>(`select (to_jsonb(x) - 'source')::text as row from ${name} x`)).map(
        ({ row }) => ({ name, row }),
      ),
    ),
  );
  return rows.flat().flatMap(({ name, row }) => secrets.in(row, name));
}

/** Every file below a folder, by its path in it. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

export async function fileLeaks(folder: string, secrets: Secrets): Promise<Leak[]> {
  const files = await filesBelow(folder);
  return (
    await Promise.all(files.map(async (name) => secrets.in(await readFile(path.join(folder, name), 'utf8'), name)))
  ).flat();
}
