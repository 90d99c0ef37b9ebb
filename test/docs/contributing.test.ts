import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { readDocument } from './headings.js';

describe('CONTRIBUTING.md', () => {
  const text = readDocument('CONTRIBUTING.md');

  it("has every script but npm's own hooks", () => {
    const { scripts } = JSON.parse(readDocument('package.json')) as { scripts: Record<string, string> };
    const missing = Object.keys(scripts).filter(
      (name) => name !== 'prepare' && !text.includes(name === 'test' ? '`npm test`' : `\`npm run ${name}\``),
    );
    expect(missing).to.deep.equal([]);
  });

  it('has every folder of the layout', () => {
    const folders = readdirSync(path.join(packageRoot(), 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(folders.filter((name) => !text.includes(`\`${name}/\``))).to.deep.equal([]);
  });
});
