import { expect } from 'chai';
import * as escaping from '../../src/escaping.js';

/** Characters that a terminal obeys, that break a line, that reorder one, or that XML cannot hold. */
const UNSAFE = [
  '\0',
  '\u0007',
  '\u001b',
  '\u007f',
  '\u009b',
  '\r',
  '\u2028',
  '\u061c',
  '\u200e',
  '\u202e',
  '\u2066',
  '\ufffe',
];
const NASTY = `a${UNSAFE.join('')}\n\t<b>&"'\\z`;
/** What an editor or a terminal shows of them. */
const escapes = (text: string): string => JSON.stringify(text).slice(1, -1);

describe('text of others', () => {
  for (const [name, escape] of [
    ['forTerminal', escaping.forTerminal],
    ['forHtml', escaping.forHtml],
    ['forHtmlScript', escaping.forHtmlScript],
    ['forCsv', (text: string) => escaping.forCsv([text]).slice(0, -1)],
  ] as const)
    it(`has no unsafe character and no line break after ${name}`, () => {
      for (const mark of [...UNSAFE, '\n', '\t', '\ud800', '\u{1fffe}'])
        expect(escape(`a${mark}b`), escapes(mark)).not.to.include(mark);
      expect(escape('é 👩\u200d💻 مفتاح')).to.include('é 👩\u200d💻 مفتاح');
    });

  it('is shown by its escapes on a terminal, and stays as it is the second time', () => {
    const once = escaping.forTerminal(NASTY);
    expect(once).to.include('\\u001b').and.include('\\u000a').and.include('\\u202e').and.include(`<b>&"'\\z`);
    expect(escaping.forTerminal(once)).to.equal(once);
  });

  it('keeps its line breaks and tabs where lines were laid out', () => {
    expect(escaping.forTerminalLines('a\n\tb\u001b\r\n')).to.equal('a\n\tb\\u001b\\u000d\n');
  });

  it('is the same value as JSON, with and without lines', () => {
    for (const text of [escaping.forJson({ NASTY }), escaping.forJson({ NASTY }, 2)]) {
      expect(JSON.parse(text)).to.deep.equal({ NASTY });
      for (const mark of UNSAFE) expect(text, escapes(mark)).not.to.include(mark);
    }
    expect(escaping.forJson({ NASTY })).not.to.include('\n');
  });

  it('cannot leave an element or a script', () => {
    expect(escaping.forHtml('<i>&"\'')).to.equal('&lt;i&gt;&amp;&quot;&#39;');
    expect(escaping.forHtmlScript('</script><!--')).to.equal('"\\u003c/script\\u003e\\u003c!--"');
  });

  it('is well-formed XML with the same visible text', () => {
    expect(escaping.forXml('a\u0000\ufffe<&>"\'\t\n')).to.equal('a\\u0000\\ufffe&lt;&amp;&gt;&quot;&#39;&#9;\n');
  });

  it('is one line of OpenMetrics', () => {
    expect(escaping.forOpenMetrics('a\u001b"\\\n')).to.equal('a\\\\u001b\\"\\\\\\n');
  });
});

describe('fields of a CSV', () => {
  const field = (text: string): string => escaping.forCsv([text]).slice(0, -1);

  it('begin no formula at any separator', () => {
    expect(field('=1')).to.equal("'=1");
    expect(field('a;=1')).to.equal(`"a;'=1"`);
    expect(field('a,＋1')).to.equal(`"a,'＋1"`);
    expect(field('a; "@x"')).to.equal(`"a; ""'@x"""`);
    expect(field('-1;-2a;-3')).to.equal(`"-1;'-2a;-3"`);
    expect(field('a=b+c')).to.equal('a=b+c');
  });

  it('are quoted where a reader would trim or split them', () => {
    expect(escaping.forCsv(['a', null, ' b', 'c"d', ''])).to.equal('a,," b","c""d",\n');
  });
});
