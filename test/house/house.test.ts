import { expect } from 'chai';
import { ALL_STEPS } from '../../migrations/index.js';
import { circles, sourcesOf, type Source } from './sources.js';

/** Each may import what stands before it. A new folder finds its place here first. */
const LAYERS = [
  'errors.ts', 'engine', 'config', 'logging', 'database', 'embedded', 'input', 'output', 'legacy', 'preflight', 'migrations',
  'plan', 'ledger', 'setup', 'proof', 'stages', 'status', 'explain', 'chronicle', 'report', 'terminal', 'snapshot', 'demo', 'commands', 'cli.ts',
];

/** Programs of their own: they end themselves. */
const PROGRAMS = ['src/cli.ts', 'src/embedded/watchdog-program.ts'];
const LONGEST = 250;

const layerOf = (name: string): string => (name.startsWith('src/') ? name.split('/')[1]! : name.split('/')[0]!);

/** Lines of a file that match, as `file:line`. */
function places({ name, text }: Source, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`${name}:${String(at + 1)}: ${line.trim()}`] : []));
}

describe('the house', () => {
  const sources = sourcesOf('src', 'migrations');

  it('has a place for every folder', () => {
    expect(LAYERS).to.include.members([...new Set(sources.map(({ name }) => layerOf(name)))]);
  });

  it('imports downwards only', () => {
    const upwards = sources.flatMap(({ name, imports }) => imports
      .filter((other) => LAYERS.indexOf(layerOf(other)) > LAYERS.indexOf(layerOf(name)))
      .map((other) => `${name} imports ${other}`));
    expect(upwards).to.deep.equal([]);
  });

  it('imports what exists', () => {
    const names = new Set(sources.map(({ name }) => name));
    const lost = sources.flatMap(({ name, imports }) => imports.filter((other) => other.endsWith('.ts') && !names.has(other)).map((other) => `${name}: ${other}`));
    expect(lost).to.deep.equal([]);
  });

  it('has no circle of imports', () => {
    expect(circles(sources)).to.deep.equal([]);
  });

  it('prints through its streams: no console', () => {
    expect(sources.flatMap((source) => places(source, /\bconsole\s*\./))).to.deep.equal([]);
  });

  it('ends by itself: no process.exit outside of programs', () => {
    const inside = sources.filter(({ name }) => !PROGRAMS.includes(name));
    expect(inside.flatMap((source) => places(source, /\bprocess\s*\.\s*(exit|abort)\b/))).to.deep.equal([]);
  });

  it('sets the exit code in one place', () => {
    const setters = sources.filter((source) => places(source, /\bprocess\.exitCode\s*(\?\?|\|\|)?=[^=]/).length > 0);
    expect(setters.map(({ name }) => name)).to.deep.equal(['src/cli.ts']);
  });

  it('has no SQL in its commands', () => {
    const commands = sources.filter(({ name }) => layerOf(name) === 'commands');
    expect(commands.flatMap((source) => places(source, /['"`]\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH) /))).to.deep.equal([]);
  });

  it(`has no file of more than ${String(LONGEST)} lines`, () => {
    const long = sourcesOf('src', 'migrations', 'bench').map(({ name, text }) => ({ name, lines: text.trimEnd().split('\n').length }));
    expect(long.filter(({ lines }) => lines > LONGEST)).to.deep.equal([]);
  });

  it('sleeps in no test', () => {
    const asleep = sourcesOf('test').filter(({ name }) => name.endsWith('.test.ts'))
      .flatMap((source) => places(source, /\bawait (sleep|delay|pause)\(/));
    expect(asleep).to.deep.equal([]);
  });

  it('takes every migration back, under a name without an extension', () => {
    for (const step of ALL_STEPS) {
      expect(step.name).to.match(/^\d\d_[a-z_]+$/);
      expect(step.down, step.name).to.be.a('function');
    }
    expect(new Set(ALL_STEPS.map(({ name }) => name)).size).to.equal(ALL_STEPS.length);
  });
});

describe('the house\'s own rules', () => {
  const source = (name: string, ...imports: string[]): Source => ({ name, text: '', imports });

  it('find a circle, however long', () => {
    expect(circles([source('a', 'b'), source('b', 'c'), source('c', 'a'), source('d', 'a')])).to.deep.equal([['a', 'b', 'c', 'a']]);
    expect(circles([source('a', 'a')])).to.deep.equal([['a', 'a']]);
    expect(circles([source('a', 'b', 'c'), source('b', 'c'), source('c')])).to.deep.equal([]);
  });
});
