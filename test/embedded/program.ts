import { startEmbeddedServer } from '../../src/embedded/server.js';

/**
 * A program for the tests to end in every way: starts a server, prints where it is as one JSON line, then does what
 * its argument says. Its first line, `starting`, comes when the directory exists and initdb is about to run.
 */
const [ending] = process.argv.slice(2);
const print = (line: string) => process.stdout.write(`${line}\n`);

process.once('SIGINT', () => {
  print('interrupted');
});

const server = await startEmbeddedServer({
  onLog: (line) => {
    const directory = line.split('data in ')[1];
    if (directory !== undefined) print(JSON.stringify({ starting: directory }));
  },
});
print(JSON.stringify({ pid: server.pid, port: server.port, dataDirectory: server.dataDirectory }));

if (ending === 'exit') process.exit(7);
if (ending === 'throw') throw new Error('on purpose');
if (ending === 'wait') process.stdin.on('data', () => void server.stop().then(() => process.exit(0)));
// Otherwise it ends by itself, having forgotten to stop the server.
