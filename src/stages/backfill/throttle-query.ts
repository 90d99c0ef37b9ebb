import type pg from 'pg';
import { readAddress } from '../../database/address.js';
import { describeDatabaseError } from '../../database/describe.js';
import { connectFailure } from '../../database/failures.js';
import { suppressRowLogging } from '../../database/row-logging.js';
import { withSeparateConnection } from '../../database/separate-connection.js';
import { isConnectionLost, isDatabaseError, isReadOnly, isRetryable, isTimeout } from '../../database/sqlstate.js';
import type { Reason } from '../../run/throttle.js';

/** The server ends the query after this time. */
const ANSWER_WITHIN_MS = 1_000;
/** The time for the connection, and for each answer, where the server does not end the query. */
const CONNECT_WITHIN_MS = 2_000;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITY = /^([+-]?)infinity$/i;

/**
 * The answer of the operator's query, or why there is none. `invalid` is true if the query is at fault, and false if
 * another try may succeed.
 */
export type QueryAnswer = { value: number } | { fault: string; invalid: boolean };

/**
 * Asks the operator's query, in a connection of its own that is closed afterwards. The query is read inside a FROM
 * clause, in a transaction that only reads: it is one SELECT, and it cannot write, lock rows or change settings.
 */
export async function askQuery(url: string, text: string): Promise<QueryAnswer> {
  try {
    const options = { application: 'keylift throttle', timeoutMs: CONNECT_WITHIN_MS };
    return answerOf(await withSeparateConnection(url, options, (client) => rowsOf(client, text)));
  } catch (error) {
    return faultOf(error, url);
  }
}

async function rowsOf(client: pg.Client, text: string): Promise<(string | null)[][]> {
  await suppressRowLogging(client);
  await client.query(`BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${String(ANSWER_WITHIN_MS)}`);
  const { rows } = await client.query<(string | null)[]>({
    text: selectOf(text),
    // The extended protocol takes one statement. pg chooses it for `values: []` only if it is named here.
    queryMode: 'extended',
    rowMode: 'array',
    types: { getTypeParser: () => String },
  } as pg.QueryArrayConfig);
  await client.query('ROLLBACK');
  return rows;
}

/** Two rows show that there is more than one. A comment at the end of the query ends with its line. */
const selectOf = (text: string): string => `SELECT * FROM (
${text.replace(/[\s;]+$/, '')}
) AS throttle_query LIMIT 2`;

function answerOf(rows: readonly (string | null)[][]): QueryAnswer {
  if (rows.length !== 1 || rows[0]!.length !== 1)
    return { fault: 'did not answer with one value in one row', invalid: true };
  const text = rows[0]![0] ?? '';
  const [, sign] = INFINITY.exec(text) ?? [];
  if (sign !== undefined) return { value: sign === '-' ? -Infinity : Infinity };
  return NUMBER.test(text) ? { value: Number(text) } : { fault: 'did not answer with a number', invalid: true };
}

function faultOf(error: unknown, url: string): QueryAnswer {
  if (!isDatabaseError(error) || isConnectionLost(error)) {
    const { message } = connectFailure(error, readAddress(url), { timeoutMs: CONNECT_WITHIN_MS });
    return { fault: `was not answered: ${message}`, invalid: false };
  }
  if (isTimeout(error)) return { fault: `did not answer within ${String(ANSWER_WITHIN_MS / 1000)} s`, invalid: false };
  if (isReadOnly(error)) return { fault: 'tries to write', invalid: true };
  const busy = isRetryable(error) || error.code?.startsWith('53') === true;
  const { message } = describeDatabaseError(error);
  const state = ` (SQLSTATE ${String(error.code)})`;
  return { fault: `failed: ${message}${message.endsWith(state) ? '' : state}`, invalid: !busy };
}

/** A number above 0 means wait, and so does a query without a number: the run does not know if it may continue. */
export async function queryReason(url: string, text: string): Promise<Reason> {
  const answer = await askQuery(url, text);
  const said = 'fault' in answer ? `${answer.fault}; ${LIFT}` : saidBy(answer.value);
  return said === null ? null : { kind: 'query', text: `the query of --throttle-query ${said}` };
}

const LIFT = 'to continue without it: keylift tune --throttle-query none';

const saidBy = (value: number): string | null =>
  value > 0 ? `answered ${String(value)}; the run continues at 0 or below` : null;
