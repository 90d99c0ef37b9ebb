import { EXIT_LABELS } from '../errors/exit-codes.js';
import { counted, elapsed } from '../format.js';
import type { History, HistoryRun } from '../history/history.js';
import { commandLine } from './command-line.js';
import { table, wrap } from './layout.js';

/** The terminal shows this many runs, the latest ones; `--json` has more. */
const SHOWN = 50;

/** Runs as a table, the latest first, each with its command line below it. */
export function historyText({ total, runs }: History): string {
  if (runs.length === 0) return 'No run: no command has changed a migration in this database.\n';
  const shown = runs.slice(0, SHOWN);
  const [head, ...lines] = table([['started (UTC)', 'took', 'result', 'run', 'by'], ...shown.map(cellsOf)], {
    indent: '',
  }).split('\n');
  return [
    head!,
    ...lines.flatMap((line, at) => [line, wrap(commandLine(shown[at]!), { first: '  ', rest: '    ' })]),
    ...(total > shown.length ? [`The latest ${String(shown.length)} of ${counted(total, 'run')}.`] : []),
    '',
  ].join('\n');
}

const cellsOf = (run: HistoryRun): string[] => [
  run.started_at.slice(0, 19).replace('T', ' '),
  run.seconds === null ? '-' : elapsed(run.seconds),
  resultOf(run),
  run.run_id.slice(0, 8),
  `${run.database_user} on ${run.host}`,
];

function resultOf({ state, exit_code: code, error_code: error }: HistoryRun): string {
  if (state !== 'ended') return state;
  const label = (EXIT_LABELS as Record<number, string>)[code!] ?? '';
  return `${String(code)} ${error ?? label}`.trimEnd();
}
