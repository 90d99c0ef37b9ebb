import http from 'node:http';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import { isConnectionLost, networkCodeOf } from '../../database/sqlstate.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { PlannedRequest, ProbePlan } from './plan.js';

/** An answer's body is of no interest; this much of it is taken off the line, so that the line can be used again. */
const MOST_READ = 64 * 1024;
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO$)/;

/** A request that nobody answered. Only one that cannot have been heard is worth another try. */
export class NoAnswer extends Error {
  constructor(
    readonly reason: string,
    readonly again: boolean,
  ) {
    super(reason);
  }
}

/** Sends requests of a plan over kept connections. */
export interface Sender {
  /** The answer's status. @throws NoAnswer; `gateway_tls_refused` */
  send(request: PlannedRequest): Promise<number>;
  close(): void;
}

export function senderFor(plan: ProbePlan, { stop }: { stop?: AbortSignal | undefined } = {}): Sender {
  const secure = plan.baseUrl.protocol === 'https:';
  const options = { keepAlive: true, maxSockets: plan.concurrency };
  const agent = secure
    ? new https.Agent({ ...options, ...(plan.ca === null ? {} : { ca: [...rootCertificates, plan.ca] }) })
    : new http.Agent(options);
  return {
    send: (request) => sendOne(request, { plan, agent, stop }),
    close: () => {
      agent.destroy();
    },
  };
}

interface Line {
  plan: ProbePlan;
  agent: http.Agent;
  stop: AbortSignal | undefined;
}

async function sendOne(request: PlannedRequest, { plan, agent, stop }: Line): Promise<number> {
  const timeout = AbortSignal.timeout(plan.timeoutMs);
  const heard = { connected: false };
  try {
    return await statusOf(request, {
      plan,
      agent,
      heard,
      signal: stop === undefined ? timeout : AbortSignal.any([timeout, stop]),
    });
  } catch (error) {
    stop?.throwIfAborted();
    const within = `within ${String(plan.timeoutMs / 1000)} s`;
    if (timeout.aborted)
      throw new NoAnswer(heard.connected ? `no answer ${within}` : `no connection ${within}`, !heard.connected);
    throw meaningOf(error, plan.baseUrl);
  }
}

/** Redirects are answers like any other: a token must not follow where somebody points. */
function statusOf(
  { method, path, header, body }: PlannedRequest,
  {
    plan: { baseUrl },
    agent,
    heard,
    signal,
  }: Omit<Line, 'stop'> & { heard: { connected: boolean }; signal: AbortSignal },
): Promise<number> {
  const headers = {
    'User-Agent': 'keylift-probe',
    ...(body === null ? {} : { 'Content-Type': body.contentType, 'Content-Length': body.bytes.length }),
    [header.name]: header.value,
  };
  return new Promise((resolve, reject) => {
    const { request } = baseUrl.protocol === 'https:' ? https : http;
    const sent = request(
      baseUrl,
      { method, path: baseUrl.pathname.replace(/\/$/, '') + path, headers, agent, signal },
      (response) => {
        let read = 0;
        const done = (): void => {
          resolve(response.statusCode ?? 0);
        };
        response.on('data', (chunk: Buffer) => {
          read += chunk.length;
          if (read > MOST_READ) response.destroy();
        });
        // With the status here, a body that breaks off takes nothing away from the answer.
        response.on('end', done).on('close', done).on('error', done);
      },
    );
    sent.on('socket', (socket) => {
      if (sent.reusedSocket) heard.connected = true;
      else
        socket.once(baseUrl.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          heard.connected = true;
        });
    });
    sent.on('error', reject);
    sent.end(body?.bytes);
  });
}

function meaningOf(error: unknown, { origin }: URL): Error {
  const code = networkCodeOf(error) ?? '';
  if (TLS.test(code)) {
    return keyliftError('gateway_tls_refused', {
      message: `the TLS certificate of ${origin} is not accepted`,
      facts: { tls: code },
    });
  }
  if (code.startsWith('HPE_')) return new NoAnswer('what answers there speaks no HTTP', false);
  return isConnectionLost(error) ? new NoAnswer(REASONS[code] ?? code, true) : asError(error);
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'no server listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
};
