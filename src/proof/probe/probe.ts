import pLimit from 'p-limit';
import type { Database } from '../../database/connect.js';
import { retry } from '../../database/retry.js';
import { redactText } from '../../config/redact.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { Probe, ProbeResult } from './document.js';
import { paceOf } from './pace.js';
import { NoAnswer, senderFor, type Sender } from './send.js';
import type { PlannedRequest, ProbePlan } from './plan.js';
import { sidesOf, type Side } from './sides.js';

export interface ProbeOptions {
  plan: ProbePlan;
  stop?: AbortSignal;
  /** Told of each request as it ends. */
  onAnswer?: (text: string) => void;
}

/** What each request works with. */
interface Bench {
  database: Database;
  schema: MappedSchema;
  plan: ProbePlan;
  sender: Sender;
  pace: () => Promise<void>;
  stop: AbortSignal;
}

/**
 * Sends the plan's requests to the gateway and compares each status with what the file expects on that side of the
 * switch the key's account is on. Writes nothing.
 *
 * @throws `probe_invalid` (a canary that no key has), `gateway_tls_refused`; `settings_changed`
 */
export async function probe(
  database: Database,
  schema: MappedSchema,
  { plan, stop, onAnswer }: ProbeOptions,
): Promise<Probe> {
  const started = performance.now();
  const sides = await sidesOf(database, schema, plan.requests);
  refuseUnknown(plan, sides);
  const over = new AbortController();
  const until = stop === undefined ? over.signal : AbortSignal.any([stop, over.signal]);
  const sender = senderFor(plan, { stop: until });
  const bench: Bench = {
    database,
    schema,
    plan,
    sender,
    pace: paceOf({ perSecond: plan.perSecond, stop: until }),
    stop: until,
  };
  const limit = pLimit(plan.concurrency);
  try {
    const results = await Promise.all(
      plan.requests.map((request, at) =>
        limit(async () => {
          const result = await ask(request, { at, side: sides[at] ?? null, bench });
          onAnswer?.(
            `request ${String(result.request)}: ${result.status === null ? (result.reason ?? '') : String(result.status)}`,
          );
          return result;
        }),
      ),
    );
    return summary(results, { plan, started });
  } finally {
    // Where one request ended it all, nothing of the others goes on behind our back.
    limit.clearQueue();
    over.abort();
    sender.close();
  }
}

/** Without knowing the key nobody can say which of two statuses is right. */
function refuseUnknown({ requests }: ProbePlan, sides: readonly (Side | null)[]): void {
  const lost = requests.flatMap(({ before, after }, at) => (before !== after && sides[at] === null ? [at] : []));
  if (lost.length === 0) return;
  throw keyliftError('probe_invalid', {
    message: `keylift does not know the key of ${lost.length === 1 ? 'a request that expects' : `${String(lost.length)} requests that expect`} another status after the switch`,
    facts: { requests: lost.map((at) => `requests[${String(at)}]`) },
    hint: 'Set keyId if the table keeps tokens hashed; otherwise check that the environment and the database belong together.',
  });
}

async function ask(
  request: PlannedRequest,
  { at, side, bench }: { at: number; side: Side | null; bench: Bench },
): Promise<ProbeResult> {
  const { database, schema } = bench;
  const expected = request[side?.switched === true ? 'after' : 'before'];
  const answer = await send(request, bench);
  if (answer.status !== null && answer.status !== expected && request.before !== request.after) {
    // Somebody may have switched the account meanwhile; what holds now is asked for anew.
    const [now] = await sidesOf(database, schema, [request]);
    if (now != null && now.switched !== side?.switched) return ask(request, { at, side: now, bench });
  }
  const hide = (text: string): string =>
    redactText(
      text,
      bench.plan.requests.map(({ token }) => token),
    );
  return {
    request: at + 1,
    name: request.name === null ? null : hide(request.name),
    method: request.method,
    path: hide(request.path),
    key_id: side?.key_id ?? null,
    fingerprint: side?.fingerprint ?? null,
    switched: side?.switched ?? null,
    expected,
    ...answer,
    ok: answer.status === expected,
  };
}

async function send(
  request: PlannedRequest,
  { plan, sender, pace, stop }: Bench,
): Promise<Pick<ProbeResult, 'status' | 'reason' | 'attempts'>> {
  let attempts = 0;
  try {
    const status = await retry(
      async (attempt) => {
        await pace();
        attempts = attempt;
        return sender.send(request);
      },
      { policy: 'request', stop, tries: plan.retries + 1, when: (error) => error instanceof NoAnswer && error.again },
    );
    return { status, reason: null, attempts };
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return { status: null, reason: error.reason, attempts };
  }
}

function summary(results: ProbeResult[], { plan, started }: { plan: ProbePlan; started: number }): Probe {
  const count = (chosen: (result: ProbeResult) => boolean): number => results.filter(chosen).length;
  const same = count(({ ok }) => ok);
  return {
    ok: same === results.length,
    base_url: plan.baseUrl.href,
    requests: results.length,
    same,
    different: count(({ ok, status }) => !ok && status !== null),
    unanswered: count(({ status }) => status === null),
    results,
    seconds: Math.round(performance.now() - started) / 1000,
  };
}
