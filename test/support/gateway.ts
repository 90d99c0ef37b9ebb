import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import type { Certificate } from './certificate.js';

/**
 * How the gateway asks whether a key may enter: the legacy table as it did before, the view in its place with the same
 * query, or keylift's function.
 */
export type Question = 'legacy' | 'view' | 'authorize';

/** A stand-in for the platform's gateway, for requests as its clients send them. */
export interface Gateway {
  /** `https://localhost:port`, or `http://…` without a certificate. */
  readonly url: string;
  /** `localhost:port`. */
  readonly host: string;
  /** May be changed while requests run, as a new release would. */
  asks: Question;
  /** Every request answered so far. */
  readonly answered: { path: string; status: number }[];
  stop(): Promise<void>;
}

const ALIVE = 'revoked_at is null and (expires_at is null or expires_at > now())';
const QUESTIONS: Record<Question, string> = {
  legacy: `select id from public.api_keys where token = $1 and api_id = $2 and ${ALIVE}
    order by created_at, id limit 1`,
  view: `select id from keylift.per_api_keys where token = $1 and api_id = $2 and ${ALIVE}
    order by created_at, id limit 1`,
  authorize: 'select key_id from keylift.authorize($1, $2)',
};

/** Store APIs are offered by `mindee`, custom ones by the account that built them. */
const API = `
  select a.id from public.apis a left join public.accounts o on o.id = a.owner_account_id
  where a.slug = $2 and case a.kind when 'store' then $1 = 'mindee' else o.name = $1 end`;

const PATH = /^\/v1\/products\/([^/?]+)\/([^/?]+)\/v[\d.]+\/predict(?:\?.*)?$/;

export interface GatewayOptions {
  url: string;
  asks: Question;
  tls?: Certificate;
  /** A request that is let in without a document is answered with 400, as the platform does. */
  needsDocument?: boolean;
}

export async function startGateway({ url, asks, tls, needsDocument = false }: GatewayOptions): Promise<Gateway> {
  const pool = new pg.Pool({ connectionString: url, max: 4, application_name: 'gateway' });
  pool.on('error', () => undefined);
  const state = { asks, answered: [] as Gateway['answered'] };
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    // The document goes nowhere, but a client wants it taken.
    let bytes = 0;
    request
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      })
      .once('end', () => {
        statusOf(pool, request, state.asks)
          .catch(() => 500)
          .then(
            (letIn) => {
              const status = letIn === 201 && needsDocument && bytes === 0 ? 400 : letIn;
              state.answered.push({ path: request.url ?? '', status });
              response
                .writeHead(status, { 'content-type': 'application/json' })
                .end(JSON.stringify(bodyOf(status, request.url ?? '')));
            },
            () => undefined,
          );
      });
  };
  const server = tls === undefined ? http.createServer(answer) : https.createServer(tls, answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const host = `localhost:${String((server.address() as AddressInfo).port)}`;
  return Object.assign(state, {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await pool.end();
    },
  });
}

/** The token in each of the forms that shipped clients send. */
function tokenOf({ headers }: http.IncomingMessage): string | undefined {
  const own = headers['x-inferuser-token'];
  if (typeof own === 'string') return own;
  return headers.authorization?.replace(/^Token /, '');
}

/** 201 for a request that is let in, 401 for a key that is not, 404 for an API that is not there. */
async function statusOf(pool: pg.Pool, request: http.IncomingMessage, asks: Question): Promise<number> {
  const [, owner, slug] = PATH.exec(request.url ?? '') ?? [];
  if (owner === undefined || slug === undefined || request.method !== 'POST') return 404;
  const {
    rows: [api],
  } = await pool.query<{ id: string }>(API, [owner, slug]);
  if (api === undefined) return 404;
  const { rowCount } = await pool.query(QUESTIONS[asks], [tokenOf(request) ?? null, api.id]);
  return rowCount === 1 ? 201 : 401;
}

const CODES: Record<number, string> = { 401: 'Unauthorized', 404: 'NotFound' };

/** The envelope clients read, with a document in it when it went well. */
function bodyOf(status: number, url: string): unknown {
  const ok = status === 201;
  return {
    api_request: {
      status: ok ? 'success' : 'failure',
      status_code: status,
      url,
      resources: ok ? ['document'] : [],
      error: ok
        ? {}
        : {
            code: CODES[status] ?? 'ServerError',
            message: CODES[status] ?? 'ServerError',
            details: 'no such key, or no such API',
          },
    },
    ...(ok && {
      document: {
        id: 'document',
        name: 'document.pdf',
        n_pages: 1,
        inference: {
          started_at: '2022-07-01T00:00:00.000000',
          finished_at: '2022-07-01T00:00:00.100000',
          processing_time: 0.1,
          is_rotation_applied: null,
          extras: {},
          pages: [],
          prediction: {},
          product: { name: url.split('/').slice(3, 5).join('/'), version: '4.0', type: 'standard', features: [] },
        },
      },
    }),
  };
}
