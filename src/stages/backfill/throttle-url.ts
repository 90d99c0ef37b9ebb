import http from 'node:http';
import https from 'node:https';
import { maskWebUrl } from '../../config/redact.js';
import { networkCodeOf } from '../../database/sqlstate.js';
import type { Reason } from '../../run/throttle.js';

/** A URL must answer within this time, from the look-up of its host name to the first line of the answer. */
const ANSWER_WITHIN_MS = 1_000;

const LIFT = 'to continue without it: keylift tune --throttle-url none';

/** Any status but 200 means wait, and so does no answer within a second. Only the host of the URL is shown. */
export async function urlReason(text: string, stop: AbortSignal): Promise<Reason> {
  const said = await answerOf(new URL(text), AbortSignal.any([AbortSignal.timeout(ANSWER_WITHIN_MS), stop]));
  return said === null ? null : { kind: 'url', text: `the URL of --throttle-url (${maskWebUrl(text)}) ${said}` };
}

async function answerOf(url: URL, signal: AbortSignal): Promise<string | null> {
  try {
    const status = await statusOf(url, signal);
    return status === 200 ? null : `answered ${String(status)}; the run continues at 200`;
  } catch (error) {
    if (signal.aborted) return `did not answer within ${String(ANSWER_WITHIN_MS / 1000)} s; ${LIFT}`;
    return `cannot be reached (${networkCodeOf(error) ?? 'no HTTP answer'}); ${LIFT}`;
  }
}

function statusOf(url: URL, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const { get } = url.protocol === 'https:' ? https : http;
    const request = get(url, { agent: false, signal }, (response) => {
      resolve(response.statusCode ?? 0);
      response.on('error', () => undefined);
      response.destroy(); // the body says nothing
    });
    request.on('error', reject);
  });
}
