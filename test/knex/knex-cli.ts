import { execFile } from 'node:child_process';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { packageRoot } from '../../src/config/package-root.js';

export interface KnexOutcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs knex's command line in the repository as `npx knex` would, without the wait for npx. */
export function knexCli(
  args: readonly string[],
  env: Record<string, string>,
  cwd = packageRoot(),
): Promise<KnexOutcome> {
  const cli = path.join(packageRoot(), 'node_modules/knex/bin/cli.js');
  const { PATH = '' } = process.env;
  return new Promise((resolve) => {
    // Without NODE_OPTIONS: mocha's tsx must not help compiled code along.
    execFile(process.execPath, [cli, ...args], { cwd, env: { PATH, ...env } }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, stdout: stripVTControlCharacters(stdout), stderr: stripVTControlCharacters(stderr) });
    });
  });
}
