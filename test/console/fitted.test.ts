import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { columnsOf, fitted } from '../../src/console/fitted.js';
import { atWidth, wrap } from '../../src/console/layout.js';
import { keylift } from '../cli/harness.js';

const STREAMS = { stdout: new PassThrough(), stderr: new PassThrough() };
const TTY = { stdout: true, stderr: true };

describe('a text at a terminal', () => {
  it('is broken between words, the rest a little further in', () => {
    expect(fitted('keylift: the answer was not yes\n  Run the command again and answer y\nshort', 22)).to.equal(
      'keylift: the answer\n  was not yes\n  Run the command\n    again and answer y\nshort',
    );
  });

  it('keeps words that are wider than the terminal, and a line break of its own', () => {
    expect(fitted('see /a/very/long/path/of/a/file.csv now\n', 20)).to.equal(
      'see\n  /a/very/long/path/of/a/file.csv\n  now\n',
    );
  });

  it('stays as it is where no width is known', () => {
    const text = 'x '.repeat(200);
    expect(fitted(text, columnsOf({ ...STREAMS, isTTY: TTY }, 'stderr'))).to.equal(text);
    const sized = { stdout: STREAMS.stdout, stderr: Object.assign(new PassThrough(), { columns: 0 }) };
    expect(columnsOf({ ...sized, isTTY: TTY }, 'stderr')).to.equal(undefined);
    Object.assign(sized.stderr, { columns: 72 });
    expect(columnsOf({ ...sized, isTTY: TTY }, 'stderr')).to.equal(72);
    expect(columnsOf({ ...sized, isTTY: { ...TTY, stderr: false } }, 'stderr')).to.equal(undefined);
  });

  it('is laid out for a narrow terminal, and never wider than 80', async () => {
    const text = 'word '.repeat(40);
    const widest = (lines: string): number => Math.max(...lines.split('\n').map((line) => line.trimEnd().length));
    expect(atWidth(50, () => widest(wrap(text)))).to.be.at.most(50);
    expect(atWidth(200, () => widest(wrap(text)))).to.be.within(75, 80);
    await Promise.all(
      [50, 70].map((columns) =>
        atWidth(columns, async () => {
          await Promise.resolve();
          expect(widest(wrap(text))).to.be.within(columns - 5, columns);
        }),
      ),
    );
  });
});

describe('short flags and no command', () => {
  it('-h is --help, -v is --version, with a command and without', async () => {
    for (const [short, long] of [
      ['-h', '--help'],
      ['-v', '--version'],
      ['plan -h', 'plan --help'],
      ['plan -v', 'plan --version'],
    ] as const)
      expect(await keylift(short), short)
        .to.deep.equal(await keylift(long))
        .and.include({ exitCode: 0, stderr: '' });
  });

  it('is an argument after --', async () => {
    expect((await keylift('explain -- -h')).stderr).to.include('an argument cannot start with a dash');
  });

  it('without a command is a mistake, exit 2; at a terminal the overview is shown', async () => {
    const piped = await keylift([]);
    const typed = await keylift([], { isTTY: { stdin: true, stdout: true, stderr: true } });
    expect([piped.exitCode, typed.exitCode, typed.stdout]).to.deep.equal([2, 2, '']);
    expect(piped.stderr).to.match(/^keylift: name a command\n/);
    expect(typed.stderr).to.equal(`${(await keylift('--help')).stdout}\n${piped.stderr}`);
  });
});

describe('the help', () => {
  it('names the defaults', async () => {
    const { stdout } = await keylift('migrate --help');
    const text = stdout.replace(/\s+/g, ' ');
    for (const named of ['default switch', 'default 1%', 'default 2', 'default 200,000', 'default 0.5', 'default info'])
      expect(text).to.include(named);
    expect((await keylift('snapshot --help')).stdout).to.include('default 20');
  });
});
