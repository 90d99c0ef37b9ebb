import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { linksOf, readDocument } from './headings.js';

/** The files that npm would pack. */
function packedFiles(): string[] {
  const options = { cwd: packageRoot(), encoding: 'utf8', maxBuffer: 16 * 1024 * 1024, stdio: 'pipe' } as const;
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options);
  const [packed] = Object.values(JSON.parse(listed) as Record<string, { files: { path: string }[] }>);
  return packed!.files.map((file) => file.path);
}

/** Links of a document that lead to no packed file or folder. */
function lostLinks(name: string, packed: readonly string[]): string[] {
  const folder = path.posix.dirname(name);
  return linksOf(readDocument(name))
    .filter(({ file }) => file !== '')
    .map(({ file }) => path.posix.join(folder, file).replace(/\/$/, ''))
    .filter((file) => !packed.some((one) => one === file || one.startsWith(`${file}/`)));
}

describe('the packed documents', function () {
  this.timeout(60_000);
  let packed: string[];
  before(() => {
    packed = packedFiles();
  });

  for (const name of ['README.md', 'runbook.md', 'CHANGELOG.md', 'docs/package.md', 'docs/messages.md']) {
    it(`${name}: every link leads into the package`, () => {
      expect(packed).to.include(name);
      expect(lostLinks(name, packed)).to.deep.equal([]);
    });
  }

  it('pack no tests and no scripts of the repository', () => {
    expect(packed.filter((file) => /^(test|bench|src|\.ci)\/|\.test\./.test(file))).to.deep.equal([]);
  });
});
