import { expect } from 'chai';
import ts from 'typescript';
import { CATALOGUE, type ErrorCode } from '../../src/errors/catalogue.js';
import { messagesPage } from '../../docs/messages.js';
import { anchorsOf, readDocument } from '../docs/headings.js';
import { sourcesOf } from './sources.js';

interface Thrown {
  /** `file:line`. */
  at: string;
  code: string;
  /** Each value in it is written as `…`; undefined where the message is not a literal. */
  message: string | undefined;
}

/** Every call of `keyliftError` with a literal code. */
function thrownIn(name: string, text: string): Thrown[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found: Thrown[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === 'keyliftError') {
      const [code, details] = node.arguments;
      if (code !== undefined && ts.isStringLiteral(code)) {
        const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        found.push({ at: `${name}:${String(line)}`, code: code.text, message: messageOf(details) });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function messageOf(details: ts.Expression | undefined): string | undefined {
  if (details === undefined || !ts.isObjectLiteralExpression(details)) return undefined;
  const property = details.properties.find((one) => one.name?.getText() === 'message');
  if (property === undefined || !ts.isPropertyAssignment(property)) return undefined;
  const { initializer } = property;
  if (ts.isStringLiteralLike(initializer)) return initializer.text;
  if (!ts.isTemplateExpression(initializer)) return undefined;
  return [initializer.head.text, ...initializer.templateSpans.map(({ literal }) => literal.text)].join('…');
}

describe('the catalogue of errors', () => {
  const entries = Object.entries(CATALOGUE);
  const sources = sourcesOf('src', 'migrations').filter(({ name }) => !name.startsWith('src/errors/codes/'));
  const thrown = sources.flatMap(({ name, text }) => thrownIn(name, text));

  it('has codes in small letters', () => {
    expect(entries.map(([code]) => code).filter((code) => !/^[a-z]+(_[a-z]+)*$/.test(code))).to.deep.equal([]);
  });

  it('says what each code means and what to do, in sentences', () => {
    const isSentence = (text: string): boolean => /^[A-Za-z].*\.$/s.test(text) && text.split(/\s+/).length >= 3;
    const wrong = entries.filter(([, { meaning, hint }]) => !isSentence(meaning) || !/^[A-Z].*\.$/s.test(hint));
    expect(wrong).to.deep.equal([]);
  });

  it('leads to a section of the runbook from each code', () => {
    const anchors = anchorsOf(readDocument('runbook.md'));
    expect(entries.filter(([, { section }]) => !anchors.includes(section))).to.deep.equal([]);
  });

  it('is in the documentation, every code of it', () => {
    const page = messagesPage();
    expect(entries.filter(([code]) => !page.includes(`| \`${code}\` |`))).to.deep.equal([]);
  });

  it('has no code that is never thrown', () => {
    const used = (code: string): boolean => sources.some(({ text }) => text.includes(`'${code}'`));
    expect(entries.map(([code]) => code).filter((code) => !used(code))).to.deep.equal([]);
  });

  it('is thrown with a sentence that continues "keylift: " and has no full stop', () => {
    const isSentence = (text: string): boolean =>
      text === '' || text === '…' || (text.split(/\s+/).length >= 3 && !/^[A-Z]/.test(text) && !/[.!]$/.test(text));
    expect(thrown.length).to.be.greaterThan(75);
    expect(thrown.filter(({ message = '' }) => !isSentence(message))).to.deep.equal([]);
  });

  it('is the only source of errors with a code', () => {
    const others = sources.filter(
      ({ name, text }) => name !== 'src/errors/keylift-error.ts' && /new (KeyliftError|BugError)\(/.test(text),
    );
    expect(others.map(({ name }) => name)).to.deep.equal([]);
  });

  it('has a type that refuses a code which it does not have', () => {
    // @ts-expect-error: not a code of the catalogue
    const wrong: ErrorCode = 'no_such_code';
    expect(Object.keys(CATALOGUE)).not.to.include(wrong);
  });
});
