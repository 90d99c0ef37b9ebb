import { expect } from 'chai';
import pg from 'pg';
import { keyliftError } from '../../src/errors/keylift-error.js';
import { isWorthRetrying, pauseBefore, POLICIES, retry, Tries, type RetryOptions } from '../../src/database/retry.js';
import { NEVER } from '../../src/timing.js';

const busy = Object.assign(new pg.DatabaseError('busy', 4, 'error'), { code: '40001', severity: 'ERROR' });
const failing = (times: number) => (attempt: number) =>
  attempt <= times ? Promise.reject(busy) : Promise.resolve(`try ${String(attempt)}`);

describe('retry', () => {
  /** Options that note each pause and do not wait. */
  const noted = (options: Partial<RetryOptions> = {}): { pauses: number[]; options: RetryOptions } => {
    const pauses: number[] = [];
    const wait = async (milliseconds: number): Promise<void> => {
      pauses.push(milliseconds);
      return Promise.resolve();
    };
    return { pauses, options: { policy: 'transaction', stop: NEVER, wait, ...options } };
  };
  const rejection = (work: Promise<unknown>) => work.catch((error: unknown) => error);

  it('tries again as often as its policy says, with pauses that grow up to the limit', async () => {
    const { pauses, options } = noted();
    expect(await retry(failing(4), options)).to.equal('try 5');
    expect(pauses).to.have.length(4);
    [100, 200, 400, 800].forEach((full, at) => expect(pauses[at]).to.be.within(full / 2, full));
    expect(await rejection(retry(failing(5), options))).to.equal(busy);
  });

  it('takes another number of tries where one is given', async () => {
    const { pauses, options } = noted({ tries: 2 });
    expect(await rejection(retry(failing(2), options))).to.equal(busy);
    expect(pauses).to.have.length(1);
  });

  it('throws at once what its policy does not name', async () => {
    const retries: number[] = [];
    const { options } = noted({ onRetry: (_, attempt) => retries.push(attempt) });
    const bug = new TypeError('no function');
    expect(await rejection(retry(() => Promise.reject(bug), options))).to.equal(bug);
    expect(retries).to.deep.equal([]);
  });

  it('makes no further try after a stop, and throws the reason of the stop', async () => {
    const stop = new AbortController();
    const reason = new Error('stopped');
    let tries = 0;
    const work = (): Promise<never> => {
      tries += 1;
      return Promise.reject(busy);
    };
    const onRetry = (): void => {
      stop.abort(reason);
    };
    expect(await rejection(retry(work, { policy: 'underLoad', stop: stop.signal, onRetry }))).to.equal(reason);
    expect(tries).to.equal(1);
  });

  it('ends its pause at a stop', async () => {
    const stop = new AbortController();
    const wait = retry(failing(100), { policy: 'underLoad', stop: stop.signal });
    setImmediate(() => {
      stop.abort(new Error('stopped'));
    });
    expect(await rejection(wait)).to.have.property('message', 'stopped');
  });

  it('ends with what the repair before the next try throws', async () => {
    const { options } = noted({ onRetry: () => Promise.reject(new Error('beyond repair')) });
    expect(await rejection(retry(failing(1), options))).to.have.property('message', 'beyond repair');
  });

  it('counts failures in a row, where a loop reports its successes', async () => {
    const tries = new Tries(noted().options);
    for (let round = 0; round < 20; round += 1) {
      for (let failure = 0; failure < 4; failure += 1) await tries.next(busy);
      tries.succeeded();
    }
    for (let failure = 0; failure < 4; failure += 1) await tries.next(busy);
    expect(await rejection(tries.next(busy))).to.equal(busy);
  });

  it('leaves half of a pause to chance', () => {
    expect(pauseBefore(1, { firstMs: 100, maxMs: 1000 }, () => 0)).to.equal(50);
    expect(pauseBefore(3, { firstMs: 100, maxMs: 1000 }, () => 1)).to.equal(400);
    expect(pauseBefore(9, { firstMs: 100, maxMs: 1000 }, () => 1)).to.equal(1000);
  });
});

describe('the retry policies', () => {
  it('tell a collision, a lost connection and a cancelled statement apart', () => {
    const serverError = (code: string) =>
      Object.assign(new pg.DatabaseError('x', 1, 'error'), { code, severity: 'ERROR' });
    const loss = keyliftError('connection_lost', { message: 'lost' });
    const worth = (error: unknown) =>
      Object.keys(POLICIES).filter((name) => isWorthRetrying(name as keyof typeof POLICIES, error));
    for (const code of ['40001', '40P01', '55P03'])
      expect(worth(serverError(code))).to.deep.equal(['transaction', 'underLoad', 'ddlLock', 'batch']);
    expect(worth(serverError('57014'))).to.deep.equal(['range']);
    expect(worth(loss)).to.deep.equal(['connection']);
    expect(worth(serverError('42P01'))).to.deep.equal([]);
  });
});
