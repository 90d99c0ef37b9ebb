import http from 'node:http';
import https from 'node:https';
import { maskWebUrl } from '../../config/redact.js';
import { networkCodeOf } from '../../database/sqlstate.js';
import type { Reason } from '../../run/throttle.js';
import { after } from '../../timing.js';

/** A URL must answer within this time, from the look-up of its host name to the first line of the answer. */
const ANSWER_WITHIN_MS = 1_000;

const LIFT = 'to continue without it: keylift tune --throttle-url none';

/**
 * Any status but 200 means wait, and so does no answer within a second. Only the host of the URL is shown. An abort of
 * `end` breaks the question off.
 */
export async function urlReason(text: string, end: AbortSignal): Promise<Reason> {
  const said = await answerOf(new URL(text), end);
  return said === null ? null : { kind: 'url', text: `the URL of --throttle-url (${maskWebUrl(text)}) ${said}` };
}

async function answerOf(url: URL, end: AbortSignal): Promise<string | null> {
  try {
    const status = await statusOf(url, end);
    return status === 200 ? null : `answered ${String(status)}; the run continues at 200`;
  } catch (error) {
    if (error instanceof Late) return `did not answer within ${String(ANSWER_WITHIN_MS / 1000)} s; ${LIFT}`;
    return `cannot be reached (${networkCodeOf(error) ?? 'no HTTP answer'}); ${LIFT}`;
  }
}

class Late extends Error {}

function statusOf(url: URL, end: AbortSignal): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const { get } = url.protocol === 'https:' ? https : http;
    const request = get(url, { agent: false, signal: end }, (response) => {
      resolve(response.statusCode ?? 0);
      response.on('error', () => undefined);
      response.destroy(); // the body says nothing
    });
    const inTime = after(ANSWER_WITHIN_MS, () => request.destroy(new Late()));
    request.on('error', reject);
    request.on('close', inTime);
  });
}
