import type { Copy } from '../arena.js';

/** Twins that rule 7 leaves out, as an operator would find them by hand. */
const REPEATED = `
  CREATE TABLE repeated AS SELECT token FROM public.api_keys GROUP BY token HAVING count(*) > 1`;

/** The rows that move, joined to what they point at: rules 1 and 8, and of a repeated token the first row. */
const MOVED = `
  SELECT k.id, k.account_id, k.name, k.token, 'store_apis'::text AS scope, k.api_id AS origin_api_id, k.created_at,
    k.last_used_at, k.revoked_at, k.expires_at
  FROM public.api_keys k JOIN public.apis a ON a.id = k.api_id AND a.kind = 'store'
    JOIN public.accounts o ON o.id = k.account_id
  WHERE length(k.token) > 0 AND k.created_at IS NOT NULL AND k.token NOT IN (SELECT token FROM repeated)`;

const TARGET = 'public.account_api_keys';
const PRIMARY_KEY = `ALTER TABLE ${TARGET} ADD PRIMARY KEY (id)`;
const INDEXES = [
  PRIMARY_KEY,
  `CREATE UNIQUE INDEX ON ${TARGET} (token)`,
  `CREATE INDEX ON ${TARGET} (account_id, created_at)`,
  `ALTER TABLE ${TARGET} ADD FOREIGN KEY (account_id) REFERENCES public.accounts (id)`,
];

const EMPTY_TABLE = [
  `CREATE TABLE ${TARGET} (LIKE public.api_keys)`,
  `ALTER TABLE ${TARGET} RENAME api_id TO origin_api_id`,
  `ALTER TABLE ${TARGET} ADD scope text NOT NULL DEFAULT 'store_apis'`,
];
const FINISHED_TABLE = [...EMPTY_TABLE, ...INDEXES];

const COLUMNS = 'id, account_id, name, token, scope, origin_api_id, created_at, last_used_at, revoked_at, expires_at';

/** The platform is shut: nobody else is let in, nothing can be resumed. Seconds. */
export const offline = (copy: Copy): Promise<number> =>
  copy.timed(REPEATED, `CREATE TABLE ${TARGET} AS ${MOVED}`, ...INDEXES);

/**
 * The least that a way with the platform up can do, in one statement that can neither be paused nor resumed: rows come
 * into a table that has its primary key, since the platform's writes must find theirs, and indexes are built
 * CONCURRENTLY. Seconds.
 */
export const liveInOneStatement = (copy: Copy): Promise<number> =>
  live(copy, `INSERT INTO ${TARGET} (${COLUMNS}) ${MOVED}`);

/** The same with both cores at the rows: each half of the ids by a statement in a session of its own. Seconds. */
export async function liveInTwoStatements(copy: Copy): Promise<number> {
  const [row] = await copy.sql<{ half: string }>('SELECT (min(id) + max(id)) / 2 AS half FROM public.api_keys');
  return live(
    copy,
    ['<=', '>'].map((side) => `INSERT INTO ${TARGET} (${COLUMNS}) ${MOVED} AND k.id ${side} ${row!.half}`),
  );
}

async function live(copy: Copy, rows: string | string[]): Promise<number> {
  for (const statement of EMPTY_TABLE) await copy.sql(statement);
  await copy.sql(PRIMARY_KEY);
  return copy.timed(
    REPEATED,
    rows,
    `CREATE UNIQUE INDEX CONCURRENTLY ON ${TARGET} (token)`,
    `CREATE INDEX CONCURRENTLY ON ${TARGET} (account_id, created_at)`,
    `ALTER TABLE ${TARGET} ADD CONSTRAINT account FOREIGN KEY (account_id) REFERENCES public.accounts (id) NOT VALID`,
    `ALTER TABLE ${TARGET} VALIDATE CONSTRAINT account`,
  );
}

/** The search for repeated tokens by itself, and one scan joined to APIs and accounts. Seconds. */
export const searchAndScan = (copy: Copy): Promise<number> =>
  copy.timed(
    'SELECT count(*) FROM (SELECT token FROM public.api_keys GROUP BY token HAVING count(*) > 1) repeated',
    `SELECT a.kind, o.id IS NULL AS orphan, count(*) FROM public.api_keys k LEFT JOIN public.apis a ON a.id = k.api_id
     LEFT JOIN public.accounts o ON o.id = k.account_id GROUP BY 1, 2`,
  );

/** One statement into the finished table, which keeps its indexes up row by row. Seconds. */
export async function oneInsert(copy: Copy): Promise<number> {
  for (const statement of FINISHED_TABLE) await copy.sql(statement);
  return copy.timed(REPEATED, `INSERT INTO ${TARGET} (${COLUMNS}) ${MOVED}`);
}

/** Makes the finished table and the list of repeated tokens; the rest of `batchInsert` is JavaScript. */
export async function prepareBatchInsert(copy: Copy): Promise<{ select: string; table: string }> {
  for (const statement of [...FINISHED_TABLE, REPEATED]) await copy.sql(statement);
  return { select: MOVED, table: 'account_api_keys' };
}
