import { readFileSync, statSync } from 'node:fs';
import type { Copy } from '../arena.js';
import { nameOf } from './statements.js';

/** One run of a statement: `EXPLAIN (ANALYZE, BUFFERS, WAL)` as `auto_explain` writes it. */
export interface Plan {
  statement: string;
  ms: number;
  text: string;
}

export interface PlanOptions {
  /** The server's log, where plans are written. */
  logFile: string;
  /** Of this share of all statements only: where there are thousands a second. Default 1. */
  share?: number;
  /** Shorter ones are left out. Default 0. */
  leastMs?: number;
}

/** Runs the work on the copy and answers the longest run of each statement, the longest first. */
export async function plansOf(
  copy: Copy,
  { logFile, share = 1, leastMs = 0 }: PlanOptions,
  work: () => Promise<unknown>,
): Promise<Plan[]> {
  const [{ name }] = (await copy.sql('SELECT current_database() AS name')) as [{ name: string }];
  const settings = {
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': `${String(leastMs)}ms`,
    'auto_explain.sample_rate': String(share),
    // Clock readings around each row would cost more than the rows do.
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_buffers': 'on',
    'auto_explain.log_wal': 'on',
    'auto_explain.log_nested_statements': 'on',
    'auto_explain.log_parameter_max_length': '0',
  };
  for (const [setting, value] of Object.entries(settings))
    await copy.sql(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
  const from = statSync(logFile).size;
  await work();
  const longest = new Map<string, Plan>();
  for (const plan of plansIn(readFileSync(logFile).subarray(from).toString())) {
    if ((longest.get(plan.statement)?.ms ?? -1) < plan.ms) longest.set(plan.statement, plan);
  }
  return [...longest.values()].sort((a, b) => b.ms - a.ms);
}

/** An entry's own line has the time; what belongs to it is indented by a tab. */
function plansIn(log: string): Plan[] {
  return log.split(/\n(?!\t)/).flatMap((entry): Plan[] => {
    const [head, ...body] = entry.split('\n').map((line) => line.replace(/^\t/, ''));
    const ms = /duration: ([\d.]+) ms {2}plan:/.exec(head!)?.[1];
    const begin = body.findIndex((line) => line.includes('(cost='));
    if (ms === undefined || begin < 0) return [];
    const text = body
      .slice(begin)
      .map((line) => (line.length > 160 ? `${line.slice(0, 159)}…` : line))
      .join('\n');
    return [
      {
        statement: nameOf(
          body
            .slice(0, begin)
            .join('\n')
            .replace(/^Query Text: /, ''),
        ),
        ms: Number(ms),
        text,
      },
    ];
  });
}
