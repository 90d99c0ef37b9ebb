import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { packageRoot } from '../../src/config/package-root.js';
import type { Command } from './blocks.js';

/** How one line of a block ended. */
export interface LineEnd {
  exitCode: number;
  output: string;
}

/** Bash in a folder of its own, where `keylift` and `npx` are the compiled program; what is exported stays. */
export interface Shell {
  readonly folder: string;
  env: Record<string, string>;
  run(commands: readonly Command[]): Promise<LineEnd[]>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What asks before it writes is answered, as the person at the terminal would. */
const KEYLIFT = (program: string): string => `#!/bin/bash
case "$1" in
  migrate|repair|switch|rollback|finalize|uninstall) [[ " $* " == *" --yes "* || " $* " == *" --help "* ]] || set -- "$@" --yes ;;
esac
exec ${quoted(process.execPath)} ${quoted(program)} "$@"
`;

const NPX = (knex: string): string => `#!/bin/bash
name=$1; shift
case "$name" in
  keylift) exec keylift "$@" ;;
  knex) exec ${quoted(process.execPath)} ${quoted(knex)} "$@" ;;
  *) echo "npx: $name is not known here" >&2; exit 127 ;;
esac
`;

/**
 * @param folder exists and is empty
 * @throws Error where the compiled program is missing or older than a source
 */
export async function openShell(folder: string, env: Record<string, string>): Promise<Shell> {
  assertBuilt();
  const bin = path.join(folder, '.bin');
  await mkdir(bin);
  for (const [name, text] of [
    ['keylift', KEYLIFT(path.join(packageRoot(), 'dist/src/cli.js'))],
    ['npx', NPX(path.join(packageRoot(), 'node_modules/knex/bin/cli.js'))],
  ] as const) {
    await writeFile(path.join(bin, name), text);
    await chmod(path.join(bin, name), 0o755);
  }
  const shell: Shell = {
    folder,
    env: { PATH: `${bin}:${process.env.PATH ?? ''}`, HOME: folder, ...env },
    run: async (commands) => {
      // Outside of the folder: what a block lists is what it made.
      const log = `${folder}.log`;
      await mkdir(log, { recursive: true });
      await bash(scriptOf(commands, log), shell);
      shell.env = environmentIn(await readFile(path.join(log, 'env'), 'utf8'));
      return Promise.all(
        commands.map(async (_, at) => ({
          exitCode: Number(await readFile(path.join(log, `${String(at)}.code`), 'utf8')),
          output: stripVTControlCharacters(await readFile(path.join(log, `${String(at)}.out`), 'utf8')),
        })),
      );
    },
  };
  return shell;
}

/** Each line with its output and its exit code in files; braces keep what it exports, and its jobs, in this shell. */
const scriptOf = (commands: readonly Command[], log: string): string =>
  [
    ...commands.map(({ text }, at) => {
      const place = quoted(path.join(log, String(at)));
      return `{ ${text}${text.endsWith('&') ? '' : ';'} } > ${place}.out 2>&1 < /dev/null; echo $? > ${place}.code`;
    }),
    `env -0 > ${quoted(path.join(log, 'env'))}`,
  ].join('\n');

function bash(script: string, { folder, env }: Shell): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', () => {
      if (said === '') resolve();
      else reject(new Error(`bash: ${said}`));
    });
  });
}

const environmentIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\0')
      .filter((entry) => entry.includes('='))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const)
      .filter(([name]) => !['_', 'PWD', 'OLDPWD', 'SHLVL'].includes(name)),
  );

/** Old code must not stand in for new. */
function assertBuilt(): void {
  const newest = Math.max(
    ...['src', 'migrations'].flatMap((folder) =>
      readdirSync(path.join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
        .map((name) => statSync(path.join(packageRoot(), folder, name)))
        .filter((stats) => stats.isFile())
        .map(({ mtimeMs }) => mtimeMs),
    ),
  );
  const built = statSync(path.join(packageRoot(), 'dist/src/cli.js'), { throwIfNoEntry: false });
  if (built === undefined || built.mtimeMs < newest)
    throw new Error('dist/ is missing or older than src/: npm run build');
}
