import { setTimeout as sleep } from 'node:timers/promises';
import { pictureText } from './picture.js';
import { pictureOf, type Live } from './scene.js';
import { both, UNTOLD, type Progress } from '../stages/progress.js';
import type { Status } from '../status/status.js';
import { restAfter } from '../status/watch.js';
import type { Terminal } from './terminal.js';

export interface LiveOptions {
  terminal: Terminal;
  /** The database, as the operator knows it. */
  place: string;
  read: () => Promise<Status>;
  /** Told everything, too: the log file wants it. */
  log: Progress;
  /** Milliseconds. */
  now?: () => number;
}

/** A run's picture on the operator's terminal. */
export interface LivePicture {
  progress: Progress;
  /** Looks a last time and leaves the picture standing. */
  end(): Promise<void>;
}

const TICK_MS = 250;

/**
 * Paints a run while it goes: what it tells, at once, over what the ledger says, looked at as a watcher does.
 * Undefined where the terminal shows lines alone.
 */
export function paintRun({
  terminal,
  place,
  read,
  log,
  now = () => performance.now(),
}: LiveOptions): LivePicture | undefined {
  const region = terminal.begin('stderr');
  if (region === undefined) return undefined;
  const live: Live = { stage: null, seconds: 0, doing: null, looked: null, reason: null, ended: false };
  const ended = new AbortController();
  let began = now();
  let status: Status | undefined;
  const paint = (): void => {
    if (status === undefined) return;
    live.seconds = (now() - began) / 1000;
    const picture = pictureOf(status, { place, live: { ...live } });
    region.paint((columns) => pictureText(picture, { ...terminal.style, columns }));
  };
  const look = async (): Promise<void> => {
    // What keeps the ledger from answering is the run's to tell.
    status = await read().catch(() => status);
    paint();
  };
  const following = follow(look, { ended: ended.signal, now });
  const ticking = setInterval(paint, TICK_MS);
  return {
    progress: both(log, {
      ...UNTOLD,
      stage: (stage) => {
        began = now();
        Object.assign(live, { stage: stage.split(' ')[0]!, doing: null, looked: null, reason: null });
        paint();
      },
      looked: (rows) => {
        live.looked = rows;
        paint();
      },
      note: (text) => {
        Object.assign(live, { doing: text, reason: null });
        paint();
      },
      waiting: (wait) => {
        live.reason = wait?.text ?? null;
        paint();
      },
      retry: ({ text }) => {
        live.reason = text.replace(/^waiting: /, '');
        paint();
      },
      batch: () => {
        Object.assign(live, { doing: null, reason: null });
      },
    }),
    end: async () => {
      ended.abort();
      clearInterval(ticking);
      await following;
      Object.assign(live, { doing: null, ended: true });
      await look();
      terminal.end();
    },
  };
}

async function follow(
  look: () => Promise<void>,
  { ended, now }: { ended: AbortSignal; now: () => number },
): Promise<void> {
  while (!ended.aborted) {
    const began = now();
    await look();
    await sleep(restAfter(now() - began), undefined, { signal: ended }).catch(() => undefined);
  }
}
