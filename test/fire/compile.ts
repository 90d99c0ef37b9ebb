import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { version } from '../../src/config/package-root.js';
import { sourcesOf } from '../structure/sources.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The program with failpoints around it, as plain JavaScript: hundreds of processes are started from it. */
export interface Compiled {
  program: string;
  remove(): void;
}

/** Strips the types off the program's sources, into a folder next to them. It checks nothing: the type check does. */
export function compileProgram(): Compiled {
  mkdirSync(path.join(ROOT, '.keylift'), { recursive: true });
  const folder = mkdtempSync(path.join(ROOT, '.keylift', 'fire-'));
  for (const source of sourcesOf('src', 'migrations', 'test/fire').filter(({ name }) => !name.endsWith('.fire.ts'))) {
    const text = ts.transpileModule(source.text, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    }).outputText;
    const file = path.join(folder, source.name.replace(/\.ts$/, '.js'));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  // The version of the build: a ledger refuses an earlier one.
  writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({ name: 'keylift', version: version(), type: 'module' }),
  );
  cpSync(path.join(ROOT, 'schemas'), path.join(folder, 'schemas'), { recursive: true });
  return {
    program: path.join(folder, 'test', 'fire', 'program.js'),
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
