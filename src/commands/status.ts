import { EXIT } from '../errors/exit-codes.js';
import { pictureText } from '../console/picture.js';
import { pictureOf } from '../console/status-picture.js';
import { statusEssence, statusLine, statusText } from '../console/status-text.js';
import { status } from '../operations/status.js';
import type { Status } from '../status/status.js';
import { watch } from '../status/watch.js';
import { pause } from '../timing.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { statusCommand } from './definitions/control.js';
import { openMigration, placeOf } from '../operations/opened.js';

export const run: Run<typeof statusCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const read = () => status(opened);
  if (args.watch) {
    await watch({
      read,
      show: shower(context, placeOf(opened.database)),
      stop: context.stop,
      now: () => performance.now(),
      wait: pause,
    });
    return EXIT.done;
  }
  const answer = await read();
  if (context.json) context.printAnswer(answer);
  else context.write(statusText(answer));
  return EXIT.done;
};

/** A picture where a terminal can show one, else a line for each change. */
function shower({ terminal, write }: CommandContext, place: string): (status: Status) => void {
  const region = terminal.begin('stdout');
  if (region !== undefined) {
    return (status) => {
      const picture = pictureOf(status, { place });
      region.paint((columns) => pictureText(picture, { ...terminal.style, columns }));
    };
  }
  let shown = '';
  return (status) => {
    const essence = statusEssence(status);
    if (essence !== shown) write(statusLine(status));
    shown = essence;
  };
}
