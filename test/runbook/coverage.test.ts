import { expect } from 'chai';
import { RUNNABLE } from '../../src/commands/commands.js';
import { parseInvocation } from '../../src/commands/parse.js';
import { readDocument } from '../docs/headings.js';
import { sentAnchors } from '../docs/sent.js';
import { blocksOf, commandsOf, statementsOf } from './blocks.js';
import { MESSAGES, REFERENCE, STORY } from './chapters.js';
import { TROUBLES } from './troubles.js';

const README = blocksOf('README.md');
const RUNBOOK = blocksOf('runbook.md');
const COMMAND_LINES = [...README, ...RUNBOOK].filter(({ language }) => language === 'sh').flatMap(commandsOf);

/** Sections that a message names and no block brings about, each with the place that does. */
const ELSEWHERE: Record<string, string> = {
  'gate-version': 'test/preflight: no server here is that old',
  'gate-standby': 'test/preflight: no server here is a standby',
  'gate-long-transactions': 'test/preflight: a block would have to wait for five minutes',
  'gate-disk': 'test/preflight: no disk here is full',
  'gate-keys-in-apis': 'test/surroundings: tables of another shape',
  'gate-keys-in-accounts': 'test/surroundings: tables of another shape',
  'gate-delete-triggers': 'finalize names the section on triggers of the platform',
  'gate-insert-triggers': 'test/surroundings: a rollback after finalize',
  'gate-hidden-references': 'test/surroundings: a role that row-level security binds',
  'gate-subscriber': 'test/surroundings: a server that publishes, and one that subscribes',
  'gate-foreign-partition': 'test/surroundings: a foreign data wrapper',
  'gate-connections': 'test/surroundings: a role with a limit',
  'gate-prepared-transactions': 'test/surroundings: a block would have to wait for a minute',
  'gate-synchronous-standby': 'test/surroundings: a server of its own',
  'keys-that-a-rollback-leaves': 'test/live: an API that is deleted after finalize',
  'disk-full': 'test/fire: a small file system that fills',
  'step-cut-off': 'test/fire: a limit on statements',
  'stop-resume-take-back': 'test/terminal and test/cli: Ctrl-C',
  'change-log-grows': 'test/live: a platform that changes every key again',
  'a-bug-of-keylift': 'test/cli and test/errors: made to throw',
  confirmation: 'test/cli: asked at a terminal',
  uninstall: 'test/stages: keys and objects of others',
  exceptions: 'a plan that names them exits 6 in every chapter',
  roles: 'test/exit-codes: each role is kept from what it may not do',
  probe: 'test/proof: certificates and files with faults',
  replay: 'test/proof: files that cannot be read',
  'proof-needed': 'test/repair: a proof that failed, and a mirror that was found off',
  metrics: 'test/metrics: a file that cannot be written',
  snapshots: 'test/snapshot: a role without CREATEDB',
  preflight: 'a refusal names the section of its gate, and each of those is met or listed here',
};

describe('the rehearsal of the documents', () => {
  it('has every chapter with a block in one of its files', () => {
    expect([...STORY, ...REFERENCE, ...MESSAGES]).to.include.members([...new Set(RUNBOOK.map(({ part }) => part))]);
  });

  it('leaves out only what is listed here', () => {
    expect(COMMAND_LINES.filter(({ skipped }) => skipped !== undefined).map(({ text }) => text)).to.deep.equal([
      'npm ci && npm run demo',
      'npm ci && npm test',
      'npm install --save-dev keylift',
      'npm install --global keylift',
      'npm run bench',
      'npm run bench -- --rows 100k --rounds 1',
      'npm run bench -- --only migrate plan',
      'npm run bench -- --rows 1m --scaling',
      'npm run bench -- --profile',
      'keylift verify --probe probe.json',
    ]);
  });

  it('is of a size worth having', () => {
    const statements = RUNBOOK.filter(({ language }) => language === 'sql').flatMap(statementsOf);
    expect(COMMAND_LINES.length).to.be.greaterThan(120);
    expect(statements.length).to.be.greaterThan(30);
  });

  it('knows every language there is, and the name of every file that is shown', () => {
    for (const { document, line, language, file } of [...README, ...RUNBOOK]) {
      expect(['sh', 'sql', 'json', 'csv', 'text'], `${document}:${String(line)}`).to.include(language);
      if (['json', 'csv'].includes(language)) expect(file, `${document}:${String(line)}`).to.match(/\./);
    }
  });

  it('meets every section that a message sends to, or says where it is met', () => {
    const met = new Set(COMMAND_LINES.map(({ anchor }) => anchor));
    expect(sentAnchors().filter((anchor) => !met.has(anchor))).to.deep.equal(Object.keys(ELSEWHERE).sort());
  });

  it('brings about every trouble it knows', () => {
    const marked = RUNBOOK.map(({ mark }) => /, where (.+)$/.exec(mark ?? '')?.[1]).filter(
      (trouble) => trouble !== undefined,
    );
    expect([...new Set(marked)].sort()).to.deep.equal(Object.keys(TROUBLES).sort());
  });

  for (const name of ['README.md', 'runbook.md', 'CONTRIBUTING.md']) {
    it(`${name}: every command in a sentence is one that keylift takes`, () => {
      const lines = [
        ...readDocument(name)
          .replace(/^```.*?^```$/gms, '')
          .matchAll(/`(?:npx )?keylift ([a-z][^`]*)`/g),
      ].map(([, line]) => line!);
      for (const line of lines.filter((text) => !/[<…]/.test(text))) {
        const argv = line.replace('P%', '5%').split(/\s+/);
        expect(
          () => parseInvocation(argv, { cwd: '/', version: '0', commands: RUNNABLE, overview: '' }),
          line,
        ).to.not.throw();
      }
    });
  }

  it('has a drill card that fits a page', () => {
    const [, card] = /\n(## Drill card\n.*?)\n## /s.exec(readDocument('runbook.md'))!;
    const lines = card!.split('\n');
    expect(lines.length).to.be.lessThan(56);
    expect(Math.max(...lines.map(({ length }) => length))).to.be.at.most(125);
  });
});

describe("a document's blocks", () => {
  const [block] = blocksOf(
    'a.md',
    '# A\n\n## B\n\n<!-- on a fresh copy -->\n```sh x.sh\nkeylift plan \\\n  --json   # exit 6: some wait\n' +
      'keylift switch --all # exit 3 (#not-verified)\n\n# a remark\nnpm ci # not rehearsed: no network\n```\n',
  );

  it('are found with their place, their file and what stands above them', () => {
    expect(block).to.deep.include({
      document: 'a.md',
      line: 7,
      part: 'B',
      chapter: 'B',
      language: 'sh',
      file: 'x.sh',
      mark: 'on a fresh copy',
    });
    expect(() => blocksOf('a.md', '```sh\nls\n')).to.throw('without an end');
  });

  it('say how each command ends', () => {
    expect(commandsOf(block!)).to.deep.equal([
      { text: 'keylift plan    --json', exitCode: 6, anchor: undefined, skipped: undefined },
      { text: 'keylift switch --all', exitCode: 3, anchor: 'not-verified', skipped: undefined },
      { text: 'npm ci', exitCode: 0, anchor: undefined, skipped: 'no network' },
    ]);
  });

  it('say how each statement ends', () => {
    const text =
      "-- as the administrator\nSELECT 1\nFROM t;  -- no row\nSELECT 'a;b';\n" +
      'DROP TABLE t;  -- refused: it is not there\n';
    expect(statementsOf({ ...block!, text })).to.deep.equal([
      { sql: 'SELECT 1\nFROM t', ends: 'no row' },
      { sql: "SELECT 'a;b'", ends: 'well' },
      { sql: 'DROP TABLE t', ends: 'refused' },
    ]);
  });
});
