import { EXIT_LABELS } from '../errors/exit-codes.js';
import { wrap } from '../console/layout.js';
import type { CommandDefinition } from './definition.js';

/** A step of the operator's path with its commands. */
export interface Group {
  title: string;
  commands: readonly CommandDefinition[];
}

const COLUMNS = 79;
/** Keeps a code on one line with its meaning. */
const HARD = '\u00a0';

const EXIT_CODES = Object.entries(EXIT_LABELS)
  .map(([code, meaning]) => `${code} ${meaning}`.replaceAll(' ', HARD))
  .join('; ');

/** `keylift --help`: every command in the order of the operator's path, on one screen of 80 × 24. */
export function overview(groups: readonly Group[]): string {
  const titles = Math.max(...groups.map(({ title }) => title.length)) + 2;
  const names = Math.max(...groups.flatMap(({ commands }) => commands.map(({ name }) => name.length))) + 2;
  return [
    'keylift <command>: per-API keys into account Settings, on a live PostgreSQL',
    ...groups.flatMap(({ title, commands }) =>
      commands.map(({ name, brief }, at) => `${(at === 0 ? title : '').padEnd(titles)}${name.padEnd(names)}${brief}`),
    ),
    '',
    'keylift <command> --help shows its flags, examples and exit codes.',
    wrap(`Exit codes: ${EXIT_CODES}`, { rest: '  ', columns: COLUMNS }).replaceAll(HARD, ' '),
    '',
  ].join('\n');
}
