import { readFileSync } from 'node:fs';
import { main } from '../../src/cli.js';
import type { Call } from '../../src/commands/command.js';
import { placeFailpoints, type Sites } from './failpoints.js';

/*
 * keylift with failpoints around it, for the tests of crashes: `program.js <sites> <failpoint> <which time>
 * <arguments…>`. It tells its parent of every failpoint, and at the one that was asked for it waits for the parent's
 * word. Nothing of this is in the package: the program in dist/ cannot be armed.
 */
const [sites, wanted, time, ...argv] = process.argv.slice(2);
const times = new Map<string, number>();

const watched = placeFailpoints({
  sites: JSON.parse(readFileSync(sites!, 'utf8')) as Sites,
  reached: async (failpoint, client) => {
    const count = (times.get(failpoint) ?? 0) + 1;
    times.set(failpoint, count);
    const here = failpoint === wanted && count === Number(time);
    const { connection, processID } = (client ?? {}) as {
      connection?: { stream: { localPort?: number } };
      processID?: number;
    };
    process.send!({ failpoint, here, port: connection?.stream.localPort, backend: processID });
    if (here) await new Promise((resolve) => process.once('message', resolve));
  },
});

const withFailpoints = (call: Call): Call => ({
  ...call,
  run: (context) =>
    call.run({ ...context, openDatabase: async (options) => watched(await context.openDatabase(options)) }),
});

process.exitCode = await main(
  argv,
  {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    isTTY: { stdin: false, stdout: false, stderr: false },
    onSignal: (listener) => {
      process.on('SIGTERM', listener);
      return () => process.off('SIGTERM', listener);
    },
  },
  { around: withFailpoints },
);
