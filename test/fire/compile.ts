import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { sourcesOf } from '../structure/sources.js';
import { sitesOf } from './sites.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The program with failpoints around it, as plain JavaScript: hundreds of processes are started from it. */
export interface Compiled {
  program: string;
  /** Names of sites by `file:line` of the compiled files, as JSON. */
  sites: string;
  remove(): void;
}

/**
 * Strips the types off everything the program consists of, into a folder beside the sources. Checks nothing: that is
 * the type check's work.
 */
export function compileProgram(): Compiled {
  mkdirSync(path.join(ROOT, '.keylift'), { recursive: true });
  const folder = mkdtempSync(path.join(ROOT, '.keylift', 'fire-'));
  const compiled = sourcesOf('src', 'migrations', 'test/fire')
    .filter(({ name }) => !name.endsWith('.fire.ts'))
    .map((source) => {
      const text = ts.transpileModule(source.text, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
      }).outputText;
      const file = path.join(folder, source.name.replace(/\.ts$/, '.js'));
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      return { ...source, text };
    });
  const sites = path.join(folder, 'sites.json');
  const places = sitesOf(compiled.filter(({ name }) => name.startsWith('src/')));
  writeFileSync(
    sites,
    JSON.stringify(
      Object.fromEntries(
        places.map(({ file, line, name }) => [`${file.replace(/\.ts$/, '.js')}:${String(line)}`, name]),
      ),
    ),
  );
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "keylift", "version": "0.0.0-fire", "type": "module" }');
  cpSync(path.join(ROOT, 'schemas'), path.join(folder, 'schemas'), { recursive: true });
  return {
    program: path.join(folder, 'test', 'fire', 'program.js'),
    sites,
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
