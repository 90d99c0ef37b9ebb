import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { sqlFiles } from '../../docs/sql-files.js';
import { packageRoot } from '../../src/config/package-root.js';
import { defaultSchema } from '../../src/mapping/default-schema.js';
import { catalogue } from '../../src/stages/catalogue.js';
import { readDocument } from './headings.js';

const LONGEST_LINE = 120;

/** Every text that the catalogue has, the forms that are not printed included. */
const texts = (): { title: string; text: string }[] =>
  catalogue(defaultSchema()).flatMap(({ stage, statements }) =>
    statements.flatMap(({ title, text, condition, variants }) =>
      [text, ...(condition === undefined ? [] : [condition.query]), ...(variants?.texts ?? [])].map((one) => ({
        title: `${stage}: ${title}`,
        text: one,
      })),
    ),
  );

/** Those with a line, or a character, that is not as it should be. */
const where = (isFault: (line: string) => boolean): string[] =>
  texts().flatMap(({ title, text }) =>
    text
      .split('\n')
      .filter(isFault)
      .map((line) => `${title}: ${line}`),
  );

describe('the SQL that is installed or run', () => {
  it('is in docs/sql, a file for each stage, and nothing else is', () => {
    const files = readdirSync(path.join(packageRoot(), 'docs/sql')).map((name) => `docs/sql/${name}`);
    expect(files.sort()).to.deep.equal(Object.keys(sqlFiles()).sort());
    expect(files).to.have.length(8);
  });

  it(`has no line of more than ${String(LONGEST_LINE)} characters`, () => {
    expect(where((line) => line.length > LONGEST_LINE)).to.deep.equal([]);
    for (const text of Object.values(sqlFiles()))
      expect(text.split('\n').filter((line) => line.length > LONGEST_LINE)).to.deep.equal([]);
  });

  it('has no space at the end of a line, and no line of white space', () => {
    expect(where((line) => /\s$/.test(line))).to.deep.equal([]);
  });

  it('is ASCII alone: a database may be LATIN1', () => {
    expect(where((line) => /[^\u0020-\u007e]/.test(line))).to.deep.equal([]);
    expect(Object.values(sqlFiles()).join('')).to.match(/^[\u0020-\u007e\n]*$/);
  });

  it('says at the head of each function what it does', () => {
    const bare = texts().filter(({ text }) => /AS \$body\$/.test(text) && !/AS \$body\$\n-- [A-Z][^\n]+\n/.test(text));
    expect(bare).to.deep.equal([]);
    expect(texts().filter(({ text }) => /AS \$body\$/.test(text))).to.have.length.above(15);
  });

  it('has a function for each line of docs/mirror.md, and a line for each function', () => {
    const inTable = [...readDocument('docs/mirror.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    const installed = texts().flatMap(({ text }) =>
      [...text.matchAll(/CREATE (?:OR REPLACE )?FUNCTION keylift\.(\w+)/g)].map(([, name]) => name),
    );
    expect([...inTable].sort()).to.deep.equal([...new Set(installed)].sort());
  });
});
