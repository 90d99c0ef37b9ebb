import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One source file, named from the repository's root. */
export interface Source {
  name: string;
  text: string;
  /** Names of the files it imports, dynamic imports and types included. */
  imports: string[];
}

/** All TypeScript files below these folders. */
export function sourcesOf(...folders: string[]): Source[] {
  return folders.flatMap((folder) => readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).sort()
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readSource(path.join(folder, name))));
}

function readSource(name: string): Source {
  const text = readFileSync(path.join(ROOT, name), 'utf8');
  const imports = ts.preProcessFile(text).importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => path.join(path.dirname(name), fileName).replace(/\.js$/, '.ts'));
  return { name, text, imports };
}

/** Circles of imports, each as the files on its way. */
export function circles(sources: readonly Source[]): string[][] {
  const byName = new Map(sources.map((source) => [source.name, source]));
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (name: string, way: readonly string[]): void => {
    if (way.includes(name)) {
      found.push([...way.slice(way.indexOf(name)), name]);
      return;
    }
    if (done.has(name)) return;
    for (const next of byName.get(name)?.imports ?? []) visit(next, [...way, name]);
    done.add(name);
  };
  for (const { name } of sources) visit(name, []);
  return found;
}
