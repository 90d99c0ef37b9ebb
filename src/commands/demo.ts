import { runDemo } from '../demo/demo.js';
import { chapter } from '../demo/text.js';
import { startEmbeddedServer } from '../embedded/server.js';
import { EXIT } from '../errors/exit-codes.js';
import { SCRATCH_SETTINGS } from '../cases/server.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { demoCommand } from './definitions/prepare.js';
import { openWith } from '../operations/opened.js';
import { whenStopped } from './signals.js';

const DATABASE = 'keylift_demo';

export const run: Run<typeof demoCommand> = async (context) => {
  const { stop, write, json } = context;
  write('keylift demo: starts a PostgreSQL server, and removes it at the end\n');
  const story = await whenStopped(stop, LEFT, () =>
    withDemoServer(context, (url) => runDemo({ url, open: openWith(context), write, stop })),
  );
  if (json) context.printAnswer(story);
  const wrong = story.checks.filter(({ ok }) => !ok).length;
  write(
    wrong === 0
      ? '\nNo client changed a line.\n'
      : chapter(`${String(wrong)} of ${String(story.checks.length)} checks FAILED`),
  );
  return story.ok ? EXIT.done : EXIT.differences;
};

const LEFT = {
  message: 'the command was stopped on request; the demo removed what it created',
  hint: 'Run keylift demo again to see all of it.',
};

async function withDemoServer<T>({ stop, logger }: CommandContext, use: (url: string) => Promise<T>): Promise<T> {
  const server = await startEmbeddedServer({
    settings: SCRATCH_SETTINGS,
    stop,
    onLog: (line) => {
      logger.debug('server', line);
    },
  });
  try {
    stop.throwIfAborted();
    await server.createDatabase(DATABASE);
    return await use(server.url(DATABASE));
  } finally {
    await server.stop();
  }
}
