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

/** All TypeScript files below these folders of the repository. */
export const sourcesOf = (...folders: string[]): Source[] => sourcesBelow(ROOT, folders);

/** All TypeScript files below these folders of a tree, by their names in it. */
export function sourcesBelow(root: string, folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .sort()
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readSource(root, path.join(folder, name))),
  );
}

function readSource(root: string, name: string): Source {
  const text = readFileSync(path.join(root, name), 'utf8');
  const imports = ts
    .preProcessFile(text)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => path.join(path.dirname(name), fileName).replace(/\.js$/, '.ts'));
  return { name, text, imports };
}

/** The folder below `src` that a file is in, or a folder beside it: `src/plan/holds.ts` is of `plan`. */
export const layerOf = (name: string): string => (name.startsWith('src/') ? name.split('/')[1]! : name.split('/')[0]!);

/** Imports of what stands further down in the list of layers, as sentences. */
export const upwards = (sources: readonly Source[], layers: readonly string[]): string[] =>
  sources.flatMap(({ name, imports }) =>
    imports
      .filter((other) => layers.indexOf(layerOf(other)) > layers.indexOf(layerOf(name)))
      .map((other) => `${name} imports ${other}`),
  );

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
