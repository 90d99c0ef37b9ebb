import type { StageContext } from '../../run/context.js';
import type { Reason } from '../../run/throttle.js';
import { Signal } from './signal.js';
import type { Steering } from './steering.js';
import { queryReason } from './throttle-query.js';
import { urlReason } from './throttle-url.js';

/** The operator's own signals to wait: a query and a URL. */
export class Signals {
  private readonly ended = new AbortController();
  private readonly query: Signal;
  private readonly url: Signal;

  constructor({ url }: Pick<StageContext, 'url'>) {
    this.query = new Signal((text) => queryReason(url, text));
    this.url = new Signal((text) => urlReason(text, this.ended.signal));
  }

  /** The first signal that says wait. */
  async reason({ throttleQuery, throttleUrl }: Steering): Promise<Reason> {
    const [query, url] = await Promise.all([this.query.look(throttleQuery), this.url.look(throttleUrl)]);
    return query ?? url;
  }

  /** Resolves when no question is under way. */
  async end(): Promise<void> {
    this.ended.abort();
    await Promise.all([this.query.end(), this.url.end()]);
  }
}
