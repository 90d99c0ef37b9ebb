import { expect } from 'chai';
import { Region } from '../../src/console/region.js';
import { Terminal } from '../../src/console/terminal.js';
import { Screen } from './screen.js';

const ENV = { LANG: 'C.UTF-8', TERM: 'xterm' };
const letters = (from: string, count: number): string =>
  Array.from({ length: count }, (_, at) => from + String(at)).join('\n');

describe('a picture on a terminal', () => {
  it('is painted over the one before, whether it grows or shrinks', async () => {
    const screen = new Screen({ columns: 20 });
    const region = new Region(screen.stream);
    screen.stream.write('before\n');
    for (const lines of [
      ['a', 'b'],
      ['a', 'new', 'b', 'c'],
      ['a', 'c'],
      ['x', 'y', 'z'],
    ])
      region.paint(() => `${lines.join('\n')}\n`);
    expect(await screen.text()).to.equal('before\nx\ny\nz');
    region.end();
    screen.stream.write('after\n');
    expect(await screen.text()).to.equal('before\nx\ny\nz\nafter');
  });

  it('stays below what is written meanwhile', async () => {
    const screen = new Screen({ columns: 40 });
    const terminal = new Terminal(
      { stdout: screen.stream, stderr: screen.stream, isTTY: { stdout: true, stderr: true }, env: ENV },
      { noColour: true, regions: Region },
    );
    const region = terminal.begin('stderr')!;
    region.paint(() => 'picture 1\n');
    terminal.stderr.write('a warning\n');
    region.paint(() => 'picture 2\nof two lines\n');
    terminal.stderr.write(`${letters('line ', 3)}\n`);
    expect(await screen.text()).to.equal('a warning\nline 0\nline 1\nline 2\npicture 2\nof two lines');
    terminal.end();
    terminal.stderr.write('the end\n');
    expect(await screen.text()).to.match(/picture 2\nof two lines\nthe end$/);
  });

  it('is as wide as the window, which may change', async () => {
    const screen = new Screen({ columns: 31 });
    const region = new Region(screen.stream);
    screen.stream.write('before\n');
    region.paint((columns) => `${'='.repeat(columns)}\n${String(columns)}\n`);
    expect(await screen.text()).to.equal(`before\n${'='.repeat(30)}\n30`);
    for (const columns of [11, 61, 21]) {
      await screen.resize(columns);
      expect(await screen.text(), String(columns)).to.equal(
        `before\n${'='.repeat(columns - 1)}\n${String(columns - 1)}`,
      );
    }
  });

  it('shows its end where the window is too low for all of it', async () => {
    const screen = new Screen({ columns: 20, rows: 5 });
    const region = new Region(screen.stream);
    for (const name of ['a', 'b', 'c']) region.paint(() => `${letters(name, 12)}\n`);
    expect((await screen.text()).split('\n').slice(-4)).to.deep.equal(['c8', 'c9', 'c10', 'c11']);
  });

  for (const [what, env, isTTY] of [
    ['a pipe', ENV, false],
    ['a dumb terminal', { ...ENV, TERM: 'dumb' }, true],
  ] as const) {
    it(`is not begun on ${what}`, () => {
      const { stream } = new Screen({ columns: 80 });
      const terminal = new Terminal(
        { stdout: stream, stderr: stream, isTTY: { stdout: isTTY, stderr: isTTY }, env },
        { noColour: false, regions: Region },
      );
      expect(terminal.begin('stderr')).to.equal(undefined);
    });
  }

  for (const [env, noColour, style] of [
    [{ LANG: 'de_DE.UTF-8' }, false, { colour: true, unicode: true }],
    [{ LANG: 'de_DE.UTF-8' }, true, { colour: false, unicode: true }],
    [{ LC_ALL: 'C', LANG: 'C.UTF-8', NO_COLOR: '1' }, false, { colour: false, unicode: false }],
    [{ NO_COLOR: '', LC_CTYPE: 'C.utf8' }, false, { colour: true, unicode: true }],
    [{ LANG: 'C.UTF-8', TERM: 'linux' }, false, { colour: true, unicode: false }],
  ] as const) {
    it(`has the style of ${JSON.stringify(env)}${noColour ? ' with --no-color' : ''}`, () => {
      const { stream } = new Screen({ columns: 80 });
      expect(
        new Terminal({ stdout: stream, stderr: stream, isTTY: { stdout: true, stderr: true }, env }, { noColour })
          .style,
      ).to.deep.equal(style);
    });
  }
});
