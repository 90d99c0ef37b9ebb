import { startEmbeddedServer, type EmbeddedServer } from '../embedded/server.js';

/** Nothing in a scratch database is worth surviving a crash of the machine. */
export const SCRATCH_SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/**
 * Gives `use` a way to ask for a server's URL: the given server's, else one of an embedded server that is started
 * at the first question and stopped when `use` ends. Fixtures with faults never start one.
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
    // A start that failed has told so already, and left nothing to stop.
    const server = await embedded?.catch(() => undefined);
    await server?.stop();
  }
}
