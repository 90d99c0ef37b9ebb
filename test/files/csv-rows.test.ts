import { expect } from 'chai';
import fc from 'fast-check';
import Papa from 'papaparse';
import { CsvFault, csvRows } from '../../src/files/csv-rows.js';

const cellsOf = (text: string): string[][] => [...csvRows(text)].map(({ cells }) => cells);
const linesOf = (text: string): number[] => [...csvRows(text)].map(({ line }) => line);

function faultOf(text: string): [number, string] {
  try {
    cellsOf(text);
  } catch (error) {
    if (error instanceof CsvFault) return [error.line, error.message];
    throw error;
  }
  throw new Error('no fault');
}

describe('rows of a CSV text', () => {
  it('are split at commas and at line ends of every kind', () => {
    expect(cellsOf('a,b\nc\r\nd,\re')).to.deep.equal([['a', 'b'], ['c'], ['d', ''], ['e']]);
    expect(linesOf('a,b\nc\r\nd,\re')).to.deep.equal([1, 2, 3, 4]);
  });

  it('have quoted fields with commas, quotes and line ends in them, and know their own line', () => {
    const text = '"a,""b""\n\r\nc" ,d\ne';
    expect(cellsOf(text)).to.deep.equal([['a,"b"\n\r\nc', 'd'], ['e']]);
    expect(linesOf(text)).to.deep.equal([1, 4]);
  });

  it('are one empty row for nothing and for a blank line, and none for the end of the last line', () => {
    expect(cellsOf('')).to.deep.equal([['']]);
    expect(cellsOf('a\n\nb\n')).to.deep.equal([['a'], [''], ['b']]);
  });

  it('end at a quote that is not closed, or that text follows', () => {
    expect(faultOf('a\n"b\nc')).to.deep.equal([2, 'a quote is opened and not closed']);
    expect(faultOf('a\n"b"c,d')).to.deep.equal([2, 'text follows the closing quote of a field']);
  });

  it('are read as another reader reads them, whatever the fields hold', () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', 'é') });
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { minLength: 1 }), (rows) => {
        const text = Papa.unparse(rows, { quotes: true, newline: '\n' });
        expect(cellsOf(text)).to.deep.equal(rows);
      }),
    );
  });
});
