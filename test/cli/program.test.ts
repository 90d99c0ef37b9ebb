import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const root = path.resolve(import.meta.dirname, '../..');
const cli = path.join(root, 'src/cli.ts');

/** What is loaded before a command is chosen: the modules that a module imports statically, and theirs. */
function staticImports(file: string, seen = new Set<string>(), packages = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, from = ''] of text.matchAll(/^import (?!type )[^;]*?from '([^']+)';/gm)) {
    if (from.startsWith('.'))
      staticImports(path.resolve(path.dirname(file), from.replace(/\.js$/, '.ts')), seen, packages);
    else if (!from.startsWith('node:')) packages.add(from);
  }
  return packages;
}

describe('the program', () => {
  it('loads nothing heavy for --help: yargs is the only package', () => {
    expect([...staticImports(cli)]).to.deep.equal(['yargs']);
  });

  it("runs through a symbolic link, as npm's bin is, and sets the exit code", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-bin-'));
    const link = path.join(folder, 'keylift.ts');
    await symlink(cli, link);
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [
        '--import',
        pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
        link,
        ...args,
      ]).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: unknown) => error as { code: number; stdout: string },
      );
    try {
      expect((await run('--version')).stdout).to.match(/^\d+\.\d+\.\d+\n$/);
      expect((await run('plan', '--nonsense')).code).to.equal(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
