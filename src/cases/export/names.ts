import type { NameKind, NameMark } from './disguise.js';

/** Longer names keep their length, because a long name is a kind of name, too. */
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

/** A new name of the same kind: the same white space around it, and similar characters and length. */
export function nameLike(kind: NameKind): string | null {
  if (kind === null) return null;
  if ('blanks' in kind) return kind.blanks;
  const { number, length, before, after, marks } = kind;
  const start = marks.includes('formula') ? '=' : '';
  const text = `${start}name-${String(number)}${marks.map((mark) => MARKS[mark]).join('')}`;
  const missing = length - [...before].length - [...after].length - [...text].length;
  return `${before}${text}${length > LONG ? 'x'.repeat(Math.max(0, missing)) : ''}${after}`;
}
