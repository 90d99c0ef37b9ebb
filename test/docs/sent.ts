import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/config/package-root.js';

const SOURCES = ['src', 'migrations'].flatMap((folder) =>
  readdirSync(path.join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(path.join(packageRoot(), folder, file), 'utf8')),
);

/** What a pattern's first group finds in the sources, once each, in order. */
export const foundInSources = (pattern: RegExp, make: (match: string) => string = (match) => match): string[] =>
  [...new Set(SOURCES.flatMap((text) => [...text.matchAll(pattern)].map((match) => make(match[1]!))))].sort();

/** The sections of the runbook that messages of the code send a reader to. */
export const sentAnchors = (): string[] =>
  [
    ...new Set([
      ...foundInSources(/\bsection: '([a-z-]+)'/g),
      ...foundInSources(/runbook(?:\.md)?#([a-z-]+)/g),
      ...foundInSources(/\bgate(?:: |\(\s*)'([a-z_]+)'/g, (gate) => `gate-${gate.replaceAll('_', '-')}`),
    ]),
  ].sort();
