import { version } from '../config/package-root.js';
import { tellStory } from '../demo/story.js';
import { chapter } from '../demo/text.js';
import { startEmbeddedServer } from '../embedded/server.js';
import { EXIT, InterruptedError } from '../errors.js';
import { SCRATCH_SETTINGS } from '../cases/server.js';
import type { Run } from './command.js';
import type { demoCommand } from './definitions/prepare.js';

const DATABASE = 'keylift_demo';

export const run: Run<typeof demoCommand> = async (context) => {
  const { stop, logger, write, json } = context;
  write('keylift demo: a real PostgreSQL, started for this and gone afterwards\n');
  const server = await startEmbeddedServer({
    settings: SCRATCH_SETTINGS,
    onLog: (line) => {
      logger.debug('server', line);
    },
  });
  try {
    stop.throwIfAborted();
    await server.createDatabase(DATABASE);
    const story = await tellStory({ url: server.url(DATABASE), version: version(), tell: write, stop });
    if (json) context.printAnswer(story);
    const wrong = story.checks.filter(({ ok }) => !ok).length;
    write(
      wrong === 0
        ? '\nNo client changed a line.\n'
        : chapter(`${String(wrong)} of ${String(story.checks.length)} checks FAILED`),
    );
    return story.ok ? EXIT.done : EXIT.differences;
  } catch (error) {
    if (!stop.aborted || error instanceof InterruptedError) throw error;
    throw new InterruptedError('the command was stopped on request; the demo leaves nothing behind', {
      hint: 'Run keylift demo again for the whole of it.',
      cause: error,
    });
  } finally {
    await server.stop();
  }
};
