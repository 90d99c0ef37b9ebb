import type { Reason } from '../../run/throttle.js';

/**
 * A signal of the operator that may take a second to answer. It is read while batches run: a look takes the latest
 * answer and starts the next question, so that a slow signal does not slow the batches down.
 */
export class Signal {
  private source: string | null = null;
  private latest: Reason = null;
  private asking: Promise<void> | null = null;

  constructor(private readonly ask: (source: string) => Promise<Reason>) {}

  /** The latest answer of this source: the first look at it waits for the answer. Null: there is no signal. */
  async look(source: string | null): Promise<Reason> {
    if (source !== this.source) {
      await this.end();
      this.source = source;
      this.begin();
      await this.asking;
    } else {
      this.begin();
    }
    return this.latest;
  }

  /** Resolves when the question under way has its answer. */
  async end(): Promise<void> {
    await this.asking;
    this.source = this.latest = null;
  }

  private begin(): void {
    const { source } = this;
    if (source === null || this.asking !== null) return;
    this.asking = this.ask(source).then((reason) => {
      this.latest = reason;
      this.asking = null;
    });
  }
}
