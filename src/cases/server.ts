import { startEmbeddedServer, type EmbeddedServer } from '../embedded/server.js';

/** A scratch database need not survive a crash. */
export const SCRATCH_SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/**
 * Gives `use` a function for the URL of a server: the given one, else an embedded server, which is started at the first
 * call and stopped when `use` ends. So fixtures with faults never start a server.
 */
export async function withServer<T>(
  { given, stop }: { given: string | undefined; stop: AbortSignal },
  use: (url: () => Promise<string>) => Promise<T>,
): Promise<T> {
  let embedded: Promise<EmbeddedServer> | undefined;
  const url = async (): Promise<string> => {
    if (given !== undefined) return given;
    embedded ??= startEmbeddedServer({ settings: SCRATCH_SETTINGS, stop });
    return (await embedded).url();
  };
  try {
    return await use(url);
  } finally {
    // A failed start has been reported, and there is nothing to stop.
    const server = await embedded?.catch(() => undefined);
    await server?.stop();
  }
}
