import { expect } from 'chai';
import { readDocument, sectionOf } from '../docs/headings.js';
import { constructionsIn, type Construction } from './constructions.js';
import { sourcesOf, type Source } from './sources.js';

/** One code for all gates: the anchor names the gate, and gates are told together. */
const BY_GATE = 'preflight';

const told = ({ place, kind, code }: Construction): string => `${place}: ${kind} ${code}`;

describe('the errors of the layout', () => {
  const all = constructionsIn(sourcesOf('src'));
  const named = all.filter(({ code }) => code !== BY_GATE);
  const where = (fits: (one: Construction) => boolean): string[] => all.filter((one) => !fits(one)).map(told);
  const runbook = readDocument('runbook.md');

  it('are found, those that a function makes included', () => {
    expect(all.length).to.be.greaterThan(75);
    expect(new Set(all.map(({ kind }) => kind))).to.deep.equal(
      new Set(['UsageError', 'RefusedError', 'DifferencesError', 'UnreachableError', 'InterruptedError', 'BugError']),
    );
    expect(all.map(({ code }) => code)).to.include.members([
      'usage',
      'embedded_no_directory',
      'interrupted',
      'unexpected',
      'junit_unwritable',
    ]);
  });

  it('have a code in small letters', () => {
    expect(where(({ code }) => /^[a-z]+(_[a-z]+)*$/.test(code))).to.deep.equal([]);
  });

  it('say what is wrong in a sentence that begins after "keylift: " and has no full stop', () => {
    const isSentence = (text: string): boolean =>
      text.split(/\s+/).length >= 3 && /^(?:[^A-Z]|TLS)/.test(text) && !/[.!]$/.test(text);
    expect(where(({ message }) => message === undefined || message === '…' || isSentence(message))).to.deep.equal([]);
  });

  it('say what to do in a sentence of its own', () => {
    expect(where(({ hint }) => hint === undefined || /^[A-Z].*[.…]$/s.test(hint))).to.deep.equal([]);
  });

  it('leave out neither hint nor anchor: the type asks for both', () => {
    const [, details] = /export interface ErrorDetails \{(.*?)\n\}/s.exec(
      sourcesOf('src').find(({ name }) => name === 'src/errors.ts')!.text,
    )!;
    expect(details)
      .to.match(/^ {2}hint: string;$/m)
      .and.match(/^ {2}anchor: string;$/m);
  });

  it('send to a section of the runbook that explains their code', () => {
    const lost = named.filter(
      ({ code, anchor }) => anchor === undefined || sectionOf(runbook, anchor)?.includes(`\`${code}\``) !== true,
    );
    expect(lost.map((one) => `${told(one)} #${one.anchor ?? 'nowhere'}`)).to.deep.equal([]);
  });

  it('mean one thing by a code: one class, one section', () => {
    const meaning = ({ kind, anchor }: Construction): string => `${kind} #${String(anchor)}`;
    const first = (code: string): Construction => named.find((one) => one.code === code)!;
    const split = named.filter((one) => meaning(one) !== meaning(first(one.code)));
    expect(split.map((one) => `${told(one)}, but ${told(first(one.code))}`)).to.deep.equal([]);
  });

  it('send every gate to a section of its own', () => {
    const gates = all.filter(({ code }) => code === BY_GATE);
    expect(gates.length).to.be.greaterThan(1);
    for (const one of gates) expect(one.anchor, told(one)).to.match(/^gate-/);
  });
});

describe('constructions of errors', () => {
  const source = (text: string): Source => ({ name: 'src/a.ts', text, imports: [] });
  const found = (text: string) =>
    constructionsIn([source(`class KeyliftError extends Error {}\nclass Sub extends KeyliftError {}\n${text}`)]);

  it('are read through spreads, constants and templates', () => {
    expect(
      found(`const PLACE = { anchor: 'there' };
      const fail = (n: number) => { const details = { hint: 'Mend it.', ...PLACE }; throw new Sub('one', \`\${n} are wrong\`, details); };
      throw new Sub('two', 'x', { ...PLACE, anchor: 'here' });`),
    ).to.deep.equal([
      { place: 'src/a.ts:4', kind: 'Sub', code: 'one', message: '… are wrong', hint: 'Mend it.', anchor: 'there' },
      { place: 'src/a.ts:5', kind: 'Sub', code: 'two', message: 'x', hint: undefined, anchor: 'here' },
    ]);
  });

  it('are found where a function is called that makes them', () => {
    expect(
      found(`function make(reason: string, message: string, details: object) { return new Sub(\`made_\${reason}\`, message, { ...details, anchor: 'a' }); }
      throw make('up', 'it is made up', { hint: 'Do not.' });`),
    ).to.deep.equal([
      { place: 'src/a.ts:4', kind: 'Sub', code: 'made_up', message: 'it is made up', hint: 'Do not.', anchor: 'a' },
    ]);
  });

  it('are found where a function is called that calls such a function', () => {
    const text = `function make(reason: string) { return new Sub(\`made_\${reason}\`, 'it is made up', { anchor: 'a' }); }
      function again(reason: string) { return make(reason); }
      throw again('twice');`;
    expect(found(text).map(({ place, code }) => [place, code])).to.deep.equal([['src/a.ts:5', 'made_twice']]);
  });

  it('take what a class fixes from the class, and leave other classes alone', () => {
    expect(
      found(`class Fixed extends Sub { constructor(message: string) { super('fixed', message, { hint: 'Wait.', anchor: 'b' }); } }
      class Other extends Error {}
      throw new Fixed('it is fixed'); throw new Other('x'); throw new Error('y');`),
    ).to.deep.equal([
      { place: 'src/a.ts:5', kind: 'Fixed', code: 'fixed', message: 'it is fixed', hint: 'Wait.', anchor: 'b' },
    ]);
  });
});
