import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../src/config/package-root.js';
import { generated } from './pages.js';

/** `npm run docs`: writes what the documents say of the command line, from its definitions. */
for (const [name, text] of Object.entries(generated((file) => readFileSync(path.join(packageRoot(), file), 'utf8')))) {
  const file = path.join(packageRoot(), name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
