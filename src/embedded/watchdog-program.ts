/**
 * The program of the watchdog process. It is plain JavaScript for `node -e`, so that it needs no loader and starts the
 * same from `dist/` and from `src/`. It is the parent of every PostgreSQL process. A parent can signal its child
 * safely: no other process gets the child's pid before the parent has waited for it.
 *
 * Orders arrive on stdin, one JSON document a line: `{"run": {file, args, cwd, env, uid, gid, log}}` starts a program,
 * `{"signal": "SIGINT"}` signals it. Events leave on stdout: `{"pid": n}`, `{"exit": {code, signal, error}}`. When
 * stdin ends, the program that started the watchdog has ended. Then the watchdog stops its child (fast, then
 * immediately, then with SIGKILL) and removes the directory in argv[1].
 */
export const WATCHDOG_PROGRAM = String.raw`
const { spawn } = require('node:child_process');
const { openSync, closeSync, rmSync } = require('node:fs');
const [directory, graceMs] = [process.argv[1], Number(process.argv[2])];
let child = null;
let ending = false;

const emit = (event) => process.stdout.write(JSON.stringify(event) + '\n');
process.stdout.on('error', () => {});
// A signal to a whole terminal or service is for the program above. The watchdog ends after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

function run({ file, args, cwd, env, uid, gid, log }) {
  try {
    const output = openSync(log, 'a', 0o600);
    child = spawn(file, args, { cwd, env, uid, gid, detached: true, stdio: ['ignore', output, output] });
    closeSync(output);
    if (child.pid !== undefined) emit({ pid: child.pid });
    child.once('error', (error) => ended({ error: error.code }));
    child.once('exit', (code, signal) => ended({ code, signal }));
  } catch (error) {
    ended({ error: error.code });
  }
}

function ended(exit) {
  if (child !== null && child.pid !== undefined && exit.error) return; // the error is a signal that could not be sent
  child = null;
  emit({ exit });
  if (ending) leave();
}

function end() {
  if (ending) return;
  ending = true;
  if (child === null) return leave();
  child.kill('SIGINT');
  setTimeout(() => child && child.kill('SIGQUIT'), graceMs);
  setTimeout(() => child && child.kill('SIGKILL'), 2 * graceMs);
}

function leave() {
  try {
    if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    process.exit(0);
  } catch {
    process.exit(1);
  }
}

let pending = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = (pending + text).split('\n');
  pending = lines.pop();
  for (const line of lines) {
    const order = JSON.parse(line);
    if (order.run) run(order.run);
    else if (child !== null) child.kill(order.signal);
  }
});
for (const event of ['end', 'close', 'error']) process.stdin.on(event, end);
`;
