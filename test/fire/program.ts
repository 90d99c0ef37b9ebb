import { main } from '../../src/cli.js';
import type { Call } from '../../src/commands/command.js';
import { placeFailpoints } from './failpoints.js';

/*
 * keylift with failpoints around it, for the tests of crashes: `program.js <failpoint> <which time> <arguments…>`. It
 * reports every failpoint to its parent, and at the chosen one it waits for the parent. The package has none of this:
 * the program in dist/ has no failpoints.
 */
const [wanted, time, ...argv] = process.argv.slice(2);
const times = new Map<string, number>();

const watched = placeFailpoints(async (failpoint, client) => {
  const count = (times.get(failpoint) ?? 0) + 1;
  times.set(failpoint, count);
  const here = failpoint === wanted && count === Number(time);
  const { connection, processID } = (client ?? {}) as {
    connection?: { stream: { localPort?: number } };
    processID?: number;
  };
  process.send!({ failpoint, here, port: connection?.stream.localPort, backend: processID });
  if (here) await new Promise((resolve) => process.once('message', resolve));
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
