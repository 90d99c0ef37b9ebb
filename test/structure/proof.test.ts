import { expect } from 'chai';
import { sourcesOf } from './sources.js';

/** Statements that write. Words of SQL are in upper case in the sources. */
const WRITES =
  /\b(INSERT INTO|UPDATE\s+[\w"$.{]|DELETE FROM|MERGE INTO|TRUNCATE|(CREATE|ALTER|DROP)\s+[A-Z]|FOR (NO KEY )?UPDATE)\b/;

/** Ways to a session that may write. */
const WRITE_ACCESS = /\bWriteSession\b|\.transaction\(|\.withSession\(/;

/*
 * `verify` and the replay only read. Two things that they need are written elsewhere: the list of duplicates, by
 * src/ledger/proof-duplicates.ts, and tokens from a file, by src/database/temporary-rows.ts. Tokens have to be copied
 * into a temporary table: bound values appear in the log of a server that logs its statements.
 */
describe('the proof', () => {
  const sources = sourcesOf('src').filter(({ name }) => name.startsWith('src/proof/'));

  it('has files', () => {
    expect(sources.length).to.be.greaterThan(10);
  });

  it('writes nothing', () => {
    expect(sources.filter(({ text }) => WRITES.test(text)).map(({ name }) => name)).to.deep.equal([]);
  });

  it('asks for no session that may write', () => {
    expect(sources.filter(({ text }) => WRITE_ACCESS.test(text)).map(({ name }) => name)).to.deep.equal([]);
  });

  it('reads the rules apart from the mover', () => {
    const shared = sources.flatMap(({ name, imports }) =>
      imports
        .filter((other) => /^src\/(mapping\/rules|mirror|stages|plan)\//.test(other))
        .map((other) => `${name} imports ${other}`),
    );
    expect(shared).to.deep.equal([]);
  });
});

describe('the rules of the move', () => {
  it('have a test for each faster reading', () => {
    const readings = sourcesOf('src').filter(({ name }) => /^src\/mapping\/rules\/(?!verdicts)/.test(name));
    const tested = new Set(
      sourcesOf('test')
        .filter(({ name }) => name.startsWith('test/mapping/rules/'))
        .flatMap(({ imports }) => imports),
    );
    expect(readings.map(({ name }) => name).filter((name) => !tested.has(name))).to.deep.equal([]);
  });
});
