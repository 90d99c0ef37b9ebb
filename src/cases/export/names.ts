import type { NameKind, NameMark } from './disguise.js';

/** Names longer than this keep their length: over-long is a kind, too. */
const LONG = 60;

const MARKS: Record<NameMark, string> = {
  formula: '',
  control: '\t',
  quote: '"\\',
  letter: 'é',
  combining: 'e\u0301',
  'right to left': 'مفتاح',
  astral: '🔑',
};

/** Another name of the same kind: blanks around it, what a spreadsheet takes for a formula, letters of every sort, length. */
export function nameLike(kind: NameKind): string | null {
  if (kind === null) return null;
  if ('blanks' in kind) return kind.blanks;
  const { number, length, before, after, marks } = kind;
  const word = `${marks.includes('formula') ? '=' : ''}name-${String(number)}${marks.map((mark) => MARKS[mark]).join('')}`;
  const room = length - [...before].length - [...after].length - [...word].length;
  return `${before}${word}${length > LONG ? 'x'.repeat(Math.max(0, room)) : ''}${after}`;
}
