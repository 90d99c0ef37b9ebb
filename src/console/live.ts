import { pictureText } from './picture.js';
import { pictureOf, type Live } from './status-picture.js';
import type { RunEvent, RunListener } from '../run/events.js';
import type { Status } from '../status/status.js';
import { restAfter } from '../status/watch.js';
import { pause } from '../timing.js';
import type { Terminal } from './terminal.js';

export interface LiveOptions {
  terminal: Terminal;
  /** The database, as the operator knows it. */
  place: string;
  read: () => Promise<Status>;
  /** Milliseconds. */
  now?: () => number;
}

/** A run's picture on the operator's terminal. */
export interface LivePicture {
  listen: RunListener;
  /** Reads the ledger once more and leaves the picture on the terminal. */
  end(): Promise<void>;
}

const TICK_MS = 250;

/**
 * Paints a run: its events at once, and between them what the ledger says. Undefined where the terminal shows lines
 * alone.
 */
export function paintRun({
  terminal,
  place,
  read,
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
    // A ledger that does not answer is reported by the run.
    status = await read().catch(() => status);
    paint();
  };
  const following = follow(look, { ended: ended.signal, now });
  const ticking = setInterval(paint, TICK_MS);
  return {
    listen: (event) => {
      if (takeEvent(live, event)) began = now();
      if (event.kind !== 'batch') paint();
    },
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

/** Takes what the picture shows of an event. True when a stage begins. */
function takeEvent(live: Live, event: RunEvent): boolean {
  switch (event.kind) {
    case 'stage':
      Object.assign(live, { stage: event.stage, doing: null, looked: null, reason: null });
      return true;
    case 'progress':
      live.looked = event.keys;
      break;
    case 'step':
      Object.assign(live, { doing: event.text, reason: null });
      break;
    case 'waiting':
      live.reason = event.wait?.text ?? null;
      break;
    case 'retry':
      live.reason = event.text.replace(/^waiting: /, '');
      break;
    case 'batch':
      Object.assign(live, { doing: null, reason: null });
  }
  return false;
}

async function follow(
  look: () => Promise<void>,
  { ended, now }: { ended: AbortSignal; now: () => number },
): Promise<void> {
  while (!ended.aborted) {
    const began = now();
    await look();
    await pause(restAfter(now() - began), ended).catch(() => undefined);
  }
}
