import { expect } from 'chai';
import { commaList, sql } from '../../src/database/sql.js';

describe('The sql tag', () => {
  it('removes the indentation of the code around it', () => {
    expect(sql`
      SELECT id
        FROM keys

      WHERE alive
    `).to.equal('SELECT id\n  FROM keys\n\nWHERE alive');
  });

  it('leaves a text of a single line as it is', () => {
    expect(sql`SELECT ${1} AS one`).to.equal('SELECT 1 AS one');
  });

  it('indents a part of several lines to the column where it is interpolated', () => {
    const inner = sql`
      SELECT id
      FROM keys`;
    expect(sql`
      SELECT EXISTS (${inner})
      FROM (
        ${inner}
      ) found
    `).to.equal('SELECT EXISTS (SELECT id\n               FROM keys)\nFROM (\n  SELECT id\n  FROM keys\n) found');
  });

  it('takes the indentation of a line that begins with a part for its own', () => {
    const part = 'a\nb';
    expect(sql`
        ${part}
        c`).to.equal('a\nb\nc');
  });

  it('drops a line whose parts are all empty', () => {
    const none = '';
    expect(sql`
      SELECT id
        ${none} ${none}
      FROM keys ${none}
      WHERE alive ${none} AND id > 0 ${none};
      ${none}`).to.equal('SELECT id\nFROM keys\nWHERE alive AND id > 0;');
  });

  it('keeps the space before a word that follows an empty part', () => {
    expect(sql`CASE WHEN ${''}a THEN ${''}${'b'} END ${''}, ' ${''} '`).to.equal("CASE WHEN a THEN b END, '  '");
  });

  it('does not shift a line whose first part is empty', () => {
    expect(sql`
      WITH a
        ${''} ${'b'}`).to.equal('WITH a\n  b');
  });

  it('keeps the blank lines of the template', () => {
    expect(sql`
      a;

      ${'b;'}`).to.equal('a;\n\nb;');
  });

  it('keeps every character of a quoted text and of a quoted name', () => {
    for (const quoted of [
      "'one\n two\n\nthree  \nfour'",
      "'it''s\nso'",
      String.raw`E'\'` + "\nx'",
      '"a\n  ""name"""',
    ]) {
      const part = `SELECT\n${quoted}`;
      expect(sql`
        DO (
          ${part} ${''}
        )`).to.equal(`DO (\n  SELECT\n  ${quoted}\n)`);
    }
  });

  it('keeps a quoted text around a part', () => {
    expect(sql`
      SELECT '${'a\nb'}'::regclass`).to.equal("SELECT 'a\nb'::regclass");
  });

  it('takes an apostrophe in a comment for no quote', () => {
    const part = "-- the account's keys\na\n/* don't */\nb";
    expect(sql`
      (
        ${part}
      )`).to.equal("(\n  -- the account's keys\n  a\n  /* don't */\n  b\n)");
  });

  it('moves the body of a function as a whole', () => {
    const body = sql`
      BEGIN
        RETURN 'a
      b';
      END`;
    expect(sql`
      AS $body$
        ${body}
      $body$;`).to.equal("AS $body$\n  BEGIN\n    RETURN 'a\n      b';\n  END\n$body$;");
  });
});

describe('A comma list', () => {
  it('stands on one line where it fits', () => {
    expect(commaList(['id', 'name', 'token'])).to.equal('id, name, token');
    expect(commaList([])).to.equal('');
  });

  it('is broken into lines no wider than it may be', () => {
    const items = Array.from({ length: 40 }, (_, at) => `column_${String(at)}`);
    const lines = commaList(items, 60).split('\n');
    expect(lines.length).to.be.greaterThan(5);
    for (const line of lines) expect(line.length).to.be.at.most(60);
    expect(lines.join(' ')).to.equal(items.join(', '));
  });

  it('gives an item of several lines lines of its own', () => {
    expect(commaList(['a', 'CASE\nEND', 'b', 'c'])).to.equal('a,\nCASE\nEND,\nb, c');
  });
});
