import { placeIn, type Place } from './place.js';

/** A statement as its error is told: what it was for, and where in its text the server found the fault. */
export interface FailedStatement {
  sql: string;
  /** `copying a batch`; what the statement begins with where nobody gave it a title. */
  title: string;
}

const SEEN = new WeakMap<object, FailedStatement>();
const TITLE = /^\s*\/\* (.+?) \*\//;
const LONGEST_TITLE = 60;

/** Remembers which statement an error came from. The first statement holds: what is done after a failure is another one. */
export function noteStatement(error: unknown, sql: string): void {
  if (typeof error === 'object' && error !== null && !SEEN.has(error)) SEEN.set(error, { sql, title: titleOf(sql) });
}

/** Says what the work was that an error broke off, where that says more than its statement. */
export function nameStatement(error: unknown, title: string): void {
  if (typeof error === 'object' && error !== null) SEEN.set(error, { sql: SEEN.get(error)?.sql ?? '', title });
}

/** The statement an error came from, or undefined when it came from none. */
export const statementOf = (error: unknown): FailedStatement | undefined =>
  typeof error === 'object' && error !== null ? SEEN.get(error) : undefined;

/** The comment a statement begins with, which also shows in pg_stat_activity; else its first words. */
export function titleOf(sql: string): string {
  const given = TITLE.exec(sql)?.[1];
  if (given !== undefined) return given;
  const words = sql.trim().replace(/\s+/g, ' ');
  return words.length <= LONGEST_TITLE ? words : `${words.slice(0, LONGEST_TITLE).replace(/ [^ ]*$/, '')} …`;
}

/** Where in its statement the server found the fault: nothing where it did not say. */
export function placeOfFault(error: unknown): Place | undefined {
  const statement = statementOf(error);
  const position = positionOf(error);
  return statement === undefined || statement.sql === '' || position === undefined
    ? undefined
    : placeIn(statement.sql, position);
}

/**
 * The place of the fault within a part of the statement that somebody else wrote, an expression of the configuration
 * say, and that stands in parentheses there. A fault that the server met behind it (the text ended too early) stands at its end.
 */
export function placeWithin(error: unknown, part: string): Place | undefined {
  const statement = statementOf(error);
  const position = positionOf(error);
  const opening = statement?.sql.indexOf(`(${part})`) ?? -1;
  if (statement === undefined || position === undefined || opening < 0) return undefined;
  const before = [...statement.sql.slice(0, opening + 1)].length;
  return placeIn(part, Math.min(Math.max(position - before, 1), [...part].length + 1));
}

/** The server counts characters, from 1, and pg hands the number on as text. */
function positionOf(error: unknown): number | undefined {
  const position = Number((error as { position?: string }).position);
  return Number.isInteger(position) && position > 0 ? position : undefined;
}
