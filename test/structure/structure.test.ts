import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ALL_STEPS } from '../../migrations/index.js';
import { circles, layerOf, sourcesBelow, sourcesOf, upwards, type Source } from './sources.js';

/** Each may import what stands before it. A new folder finds its place here first. */
const LAYERS = [
  'errors',
  'timing.ts',
  'escaping.ts',
  'files',
  'format.ts',
  'config',
  'logging',
  'database',
  'embedded',
  'mapping',
  'surroundings',
  'resolver',
  'mirror',
  'ledger',
  'preflight',
  'plan',
  'migrations',
  'setup',
  'proof',
  'run',
  'stages',
  'repair',
  'status',
  'metrics',
  'explain',
  'history',
  'operations',
  'library',
  'index.ts',
  'knex.ts',
  'console',
  'report',
  'cases',
  'demo',
  'commands',
  'cli.ts',
];

/** Programs of their own: they end themselves. */
const PROGRAMS = ['src/cli.ts', 'src/embedded/watchdog-program.ts'];
/** The module with pauses and timers; the programs that end themselves after a while. */
const TIMERS = ['src/timing.ts', ...PROGRAMS];
const LONGEST = 250;

/** Lines of a file that match, as `file:line`. */
function places({ name, text }: Source, pattern: RegExp): string[] {
  return text
    .split('\n')
    .flatMap((line, at) => (pattern.test(line) ? [`${name}:${String(at + 1)}: ${line.trim()}`] : []));
}

describe('the structure', () => {
  const sources = sourcesOf('src', 'migrations');

  it('has a place for every folder', () => {
    expect(LAYERS).to.include.members([...new Set(sources.map(({ name }) => layerOf(name)))]);
  });

  it('imports downwards only', () => {
    expect(upwards(sources, LAYERS)).to.deep.equal([]);
  });

  it('imports what exists', () => {
    const names = new Set(sources.map(({ name }) => name));
    const lost = sources.flatMap(({ name, imports }) =>
      imports.filter((other) => other.endsWith('.ts') && !names.has(other)).map((other) => `${name}: ${other}`),
    );
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
    expect(
      commands.flatMap((source) => places(source, /['"`]\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH) /)),
    ).to.deep.equal([]);
  });

  it(`has no file of more than ${String(LONGEST)} lines`, () => {
    const long = sourcesOf('src', 'migrations', 'bench').map(({ name, text }) => ({
      name,
      lines: text.trimEnd().split('\n').length,
    }));
    expect(long.filter(({ lines }) => lines > LONGEST)).to.deep.equal([]);
  });

  it('pauses through src/timing.ts alone, where a stop ends the pause', () => {
    const others = sources.filter(({ name }) => !TIMERS.includes(name));
    expect(others.flatMap((source) => places(source, /\b(setTimeout|sleep)\(|timers\/promises/))).to.deep.equal([]);
  });

  it('decides by SQLSTATE in src/database/retry.ts alone whether a collision is worth another try', () => {
    const others = sources.filter(({ name }) => !/^src\/database\/(retry|sqlstate)\.ts$/.test(name));
    expect(
      others.flatMap((source) => places(source, /SQLSTATE\.(serializationFailure|deadlock|lockNotAvailable)/)),
    ).to.deep.equal([]);
  });

  it('sleeps in no test', () => {
    const asleep = sourcesOf('test')
      .filter(({ name }) => name.endsWith('.test.ts'))
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

describe('the rules of the structure', () => {
  const source = (name: string, ...imports: string[]): Source => ({ name, text: '', imports });

  it('find a circle, however long', () => {
    expect(circles([source('a', 'b'), source('b', 'c'), source('c', 'a'), source('d', 'a')])).to.deep.equal([
      ['a', 'b', 'c', 'a'],
    ]);
    expect(circles([source('a', 'a')])).to.deep.equal([['a', 'a']]);
    expect(circles([source('a', 'b', 'c'), source('b', 'c'), source('c')])).to.deep.equal([]);
  });

  describe('on a made-up tree', () => {
    const TREE = {
      'src/low/bottom.ts': `import path from 'node:path';\nexport const bottom = path.sep;\n`,
      'src/low/one.ts': `import type { Two } from './two.js';\nexport type One = Two;\n`,
      'src/low/two.ts': `export { three as Two } from './deep/three.js';\n`,
      'src/low/deep/three.ts':
        `export const three = async () => import('../one.js');\n` + `// import '../../high/top.js' is a remark\n`,
      'src/high/top.ts': `import { bottom } from '../low/bottom.js';\nexport const top = bottom;\n`,
      'src/low/riser.ts': `import { top } from '../high/top.js';\nexport const riser = top;\n`,
    };
    let sources: Source[];
    before(async () => {
      const root = await mkdtemp(path.join(os.tmpdir(), 'keylift-structure-'));
      for (const [name, text] of Object.entries(TREE)) {
        await mkdir(path.dirname(path.join(root, name)), { recursive: true });
        await writeFile(path.join(root, name), text);
      }
      sources = sourcesBelow(root, ['src']);
      await rm(root, { recursive: true });
    });

    it('find the circle through a type, a re-export and a dynamic import', () => {
      expect(circles(sources)).to.deep.equal([
        ['src/low/deep/three.ts', 'src/low/one.ts', 'src/low/two.ts', 'src/low/deep/three.ts'],
      ]);
    });

    it('find the import that points up, and no other', () => {
      expect(upwards(sources, ['low', 'high'])).to.deep.equal(['src/low/riser.ts imports src/high/top.ts']);
    });
  });
});
