import { pause } from '../../timing.js';

export interface PaceOptions {
  perSecond: number;
  stop: AbortSignal;
  now?: () => number;
  wait?: (milliseconds: number, stop: AbortSignal) => Promise<unknown>;
}

/** Returns what to await before each request is begun: the starts are spread evenly, and none is saved up for later. */
export function paceOf({
  perSecond,
  stop,
  now = () => performance.now(),
  wait = pause,
}: PaceOptions): () => Promise<void> {
  const apart = 1000 / perSecond;
  let next = -Infinity;
  return async () => {
    const at = Math.max(now(), next);
    next = at + apart;
    if (at > now()) await wait(at - now(), stop);
    stop.throwIfAborted();
  };
}
