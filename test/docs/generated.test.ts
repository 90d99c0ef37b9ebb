import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { generated } from '../../docs/pages.js';
import { packageRoot } from '../../src/config/package-root.js';
import { anchorsOf, linksOf, readDocument } from './headings.js';

describe('what npm run docs makes', () => {
  const files = generated(readDocument);

  for (const [name, text] of Object.entries(files)) {
    it(`${name} is as the definitions have it`, () => {
      expect(readDocument(name), 'stale: npm run docs').to.equal(text);
    });
  }

  it('has no page of a command that is gone', () => {
    const pages = readdirSync(path.join(packageRoot(), 'docs/commands')).map((name) => `docs/commands/${name}`);
    expect(Object.keys(files)).to.include.members(pages);
  });

  it('links to what is there', () => {
    for (const [name, text] of Object.entries(files).filter(([file]) => file.startsWith('docs/'))) {
      for (const { file, anchor } of linksOf(text)) {
        const linked = file === '' ? text : readDocument(path.join(path.dirname(name), file));
        if (anchor !== '') expect(anchorsOf(linked), name).to.include(anchor);
      }
    }
  });
});
