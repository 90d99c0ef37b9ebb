import { expect } from 'chai';
import pg from 'pg';
import { caretLines, placeIn } from '../../src/database/place.js';
import { noteStatement, placeOfFault, placeWithin, statementOf, titleOf } from '../../src/database/statement.js';

describe('a place in a text', () => {
  const shown = (text: string, position: number): string[] => caretLines(placeIn(text, position));

  it('is its line with a caret under it, without what indents the line', () => {
    expect(shown('SELECT a\n    FROM b, c\nWHERE d', 22)).to.deep.equal(['FROM b, c', '        ^']);
    expect(shown('abc', 1)).to.deep.equal(['abc', '^']);
    expect(shown('abc', 3)).to.deep.equal(['abc', '  ^']);
  });

  it('behind the text stands at its end', () => {
    expect(shown('a ||', 99)).to.deep.equal(['a ||', '    ^']);
    expect(shown('', 1)).to.deep.equal(['', '^']);
    expect(shown('a\n', 3)).to.deep.equal(['', '^']);
  });

  it('counts characters as the server does', () => {
    expect(shown("'😀é' || x", 9)).to.deep.equal(["'😀é' || x", '        ^']);
  });

  it('takes a tab for one blank, so that the caret stays under its place', () => {
    expect(shown('a\tb\tc', 5)).to.deep.equal(['a b c', '    ^']);
  });

  for (const at of [1, 30, 51, 120, 250, 300]) {
    it(`stays in sight in a long line, at ${String(at)}`, () => {
      const text = Array.from({ length: 300 }, (_, n) => String.fromCharCode(97 + (n % 26))).join('');
      const [line, caret] = shown(text, at);
      expect(line!.length).to.be.at.most(104);
      expect(line![caret!.length - 1]).to.equal(text[at - 1]);
      expect([line!.startsWith('… '), line!.endsWith(' …')]).to.deep.equal([at > 51, at <= 250]);
    });
  }
});

describe('a statement that failed', () => {
  const failed = (sql: string, position?: number): pg.DatabaseError => {
    const error = Object.assign(new pg.DatabaseError('no', 2, 'error'), {
      code: '42601',
      position: position === undefined ? undefined : String(position),
    });
    noteStatement(error, sql);
    return error;
  };

  it('is named by the comment it begins with, else by its first words', () => {
    expect(titleOf('\n  /* copying a batch */\n  INSERT INTO t')).to.equal('copying a batch');
    expect(titleOf(' UPDATE  keylift.batches\n SET state = $1')).to.equal('UPDATE keylift.batches SET state = $1');
    expect(titleOf(`SELECT ${'a_column, '.repeat(20)}b FROM t`)).to.equal(
      'SELECT a_column, a_column, a_column, a_column, a_column, …',
    );
  });

  it('is the first that was noted: what follows a failure is another one', () => {
    const error = failed('SELECT 1');
    noteStatement(error, 'ROLLBACK');
    expect(statementOf(error)).to.deep.equal({ sql: 'SELECT 1', title: 'SELECT 1' });
  });

  it('has no place where the server gave none, or where no statement is known', () => {
    expect(placeOfFault(failed('SELECT 1'))).to.equal(undefined);
    expect(placeOfFault(Object.assign(new pg.DatabaseError('no', 2, 'error'), { position: '3' }))).to.equal(undefined);
  });

  it('has its place within what somebody else wrote', () => {
    const sql = 'SELECT é, (k.token || ) FROM k';
    expect(placeWithin(failed(sql, 12), 'k.token || ')).to.deep.equal({ line: 'k.token ||', column: 1 });
    expect(placeWithin(failed(sql, 23), 'k.token || ')).to.deep.equal({ line: 'k.token ||', column: 12 });
    expect(placeWithin(failed(sql, 29), 'k.token || ')).to.deep.equal({ line: 'k.token ||', column: 12 });
    expect(placeWithin(failed(sql, 12), 'k.name')).to.equal(undefined);
  });
});
