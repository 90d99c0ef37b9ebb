import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { COMMANDS } from '../../src/commands/definitions/all.js';
import { EXIT_MEANINGS } from '../../src/commands/definition.js';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { packageRoot } from '../../src/config/package-root.js';
import { anchorsOf, linksOf, readDocument } from './headings.js';
import { foundInSources, sentAnchors } from './sent.js';

describe('runbook.md', () => {
  const runbook = readDocument('runbook.md');
  const anchors = anchorsOf(runbook);

  it('has no heading twice', () => {
    expect(anchors).to.deep.equal([...new Set(anchors)]);
  });

  const sent = sentAnchors();

  it('is where the messages of the code send a reader', () => {
    expect(sent).to.include.members(['exceptions', 'lists', 'another-run', 'gate-rights']);
    expect(sent.filter((anchor) => !anchors.includes(anchor))).to.deep.equal([]);
  });

  it('is sent to by name, or this test does not see it', () => {
    const others = foundInSources(/\bsection: ?([^'\s][^,}\n]*)/g).filter(
      (text) => !/^(string|Section|`gate-\$\{)/.test(text),
    );
    expect(others).to.deep.equal([]);
  });

  it('explains every reason of an exception', () => {
    const schema = JSON.parse(readDocument('schemas/plan.schema.json')) as {
      definitions: { reason: { enum: string[] } };
    };
    for (const reason of schema.definitions.reason.enum) expect(runbook).to.include(`| \`${reason}\` |`);
  });
});

describe('README.md', () => {
  const readme = readDocument('README.md');

  it('shows the default configuration as it is', () => {
    const [, text] = /```json keylift\.config\.json\n(.*?)```/s.exec(readme)!;
    expect(JSON.parse(text!)).to.deep.equal(DEFAULT_SETTINGS);
  });

  it('has every command and every exit code', () => {
    for (const { name } of COMMANDS) expect(readme).to.include(`[${name}](docs/commands/${name}.md)`);
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) expect(readme).to.include(`| ${code} | ${meaning} |`);
  });

  it('gives every runtime dependency its reason', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readDocument('package.json')) as Record<string, object>;
    const rows = [...readme.split('## Runtime dependencies')[1]!.matchAll(/^\| `([^`]+)` \|/gm)].map(
      ([, name]) => name,
    );
    expect(rows.sort()).to.deep.equal(Object.keys({ ...dependencies, ...optionalDependencies }).sort());
  });

  it('names scripts that are there', () => {
    const { scripts } = JSON.parse(readDocument('package.json')) as { scripts: Record<string, string> };
    expect(scripts).to.include.keys('demo', 'test');
  });
});

describe('documents', () => {
  for (const name of ['README.md', 'runbook.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'docs/package.md']) {
    it(`${name}: every link leads somewhere`, () => {
      for (const { file, anchor } of linksOf(readDocument(name))) {
        expect(existsSync(path.join(packageRoot(), path.dirname(name), file)), `${file} in ${name}`).to.equal(true);
        if (anchor !== '')
          expect(
            anchorsOf(readDocument(file === '' ? name : path.join(path.dirname(name), file))),
            `#${anchor} in ${name}`,
          ).to.include(anchor);
      }
    });
  }

  it('LICENSE is Apache-2.0, as package.json says', () => {
    const licence = readDocument('LICENSE');
    expect(licence)
      .to.include('Apache License')
      .and.include('END OF TERMS AND CONDITIONS')
      .and.include('Copyright The keylift authors');
    expect((JSON.parse(readDocument('package.json')) as { license: string }).license).to.equal('Apache-2.0');
  });
});
