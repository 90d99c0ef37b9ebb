import { EXIT } from '../../errors/exit-codes.js';
import { define } from '../definition.js';
import { PACE, THROTTLE, type Valued } from '../flags.js';
import { file, or } from '../values.js';

const EXITS = [EXIT.done, EXIT.bug, EXIT.usage, EXIT.refused, EXIT.unreachable, EXIT.interrupted] as const;

export const statusCommand = define({
  name: 'status',
  brief: 'stage, progress, time left, reason to wait; --watch',
  describe: 'Stage, progress, rate, time left, and the reason for waiting',
  flags: { watch: { describe: 'follow the run until it ends' } },
  fault: (given) =>
    given.has('watch') && given.has('json')
      ? '--watch and --json exclude each other: stdout is one document'
      : undefined,
  examples: [
    ['status', 'stage and progress now'],
    ['status --watch', 'follow it'],
  ],
  exits: EXITS,
  needsDatabase: true,
});

export const historyCommand = define({
  name: 'history',
  brief: 'who ran what, with which arguments, and how it ended',
  describe: 'The runs of this database, the latest first: user, arguments, time and result. Secrets are never kept',
  flags: {},
  examples: [
    ['history', 'the latest runs'],
    ['history --json', 'more of them, with what each answered'],
  ],
  exits: EXITS,
  needsDatabase: true,
  readsConfiguration: false,
});

export const pauseCommand = define({
  name: 'pause',
  brief: 'make a run wait, from another terminal',
  describe: 'Make a run finish its batches and wait, from another terminal',
  flags: {},
  examples: [['pause', 'the run waits until resume']],
  exits: EXITS,
  needsDatabase: true,
});

export const resumeCommand = define({
  name: 'resume',
  brief: 'let it continue',
  describe: 'Let a paused run continue',
  flags: {},
  examples: [['resume', 'the run continues']],
  exits: EXITS,
  needsDatabase: true,
});

/** The value `own` returns the choice to the command line of the run; the command gets null. */
const tunable = <T>(flag: Valued<T>): Valued<T | null> => ({
  ...flag,
  describe: `${flag.describe.replace(/; default.*$/, '')}; own: the value on the command line of the run`,
  read: or('own', null, flag.read),
});

/** The value `none` lifts a limit, also one of the run's command line. */
const liftable = <T>(flag: Valued<T>): Valued<T | 'none' | null> => {
  const { describe, ...own } = tunable(flag);
  return { ...own, describe: `${describe}; none: no limit`, read: or('none', 'none', own.read) };
};

const TUNABLE = {
  concurrency: tunable(PACE.concurrency),
  'batch-size': tunable(PACE['batch-size']),
  'batch-time': tunable(PACE['batch-time']),
  'max-lag': liftable(THROTTLE['max-lag']),
  'max-active': liftable(THROTTLE['max-active']),
  'throttle-query': liftable(THROTTLE['throttle-query']),
  'throttle-url': liftable(THROTTLE['throttle-url']),
  'max-latency': liftable(THROTTLE['max-latency']),
};

const names = Object.keys(TUNABLE).map((flag) => `--${flag}`);

export const tuneCommand = define({
  name: 'tune',
  brief: 'change the pace of an active run',
  describe: 'Change the pace of an active run, from another terminal',
  flags: TUNABLE,
  fault: (given) =>
    Object.keys(TUNABLE).some((flag) => given.has(flag))
      ? undefined
      : `name the change: ${names.slice(0, -1).join(', ')} or ${names.at(-1)!}`,
  examples: [
    ['tune --concurrency 1', 'reduce the load'],
    ['tune --batch-time 1 --max-lag 500ms', 'longer batches, stricter lag'],
    ['tune --max-lag own', 'back to the value on the command line of the run'],
    ['tune --throttle-url none', 'continue without this signal'],
  ],
  exits: EXITS,
  needsDatabase: true,
});

export const reportCommand = define({
  name: 'report',
  brief: 'one HTML page of a run, for the change ticket',
  describe: 'One self-contained HTML page of a run: outcomes, pace, proof, exceptions',
  positionals: { file: { describe: 'the file to write', value: 'FILE', read: file } },
  flags: {},
  examples: [['report keylift.html', 'write the page']],
  exits: EXITS,
  needsDatabase: true,
});
