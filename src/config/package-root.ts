import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the package, for files in `src/` as well as in `dist/src/`. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder)
      throw new Error('there is no package.json above the files of keylift: the installation is incomplete');
    folder = parent;
  }
  return folder;
}

/** The version in package.json. */
export function version(): string {
  const { version: found } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  return found;
}
