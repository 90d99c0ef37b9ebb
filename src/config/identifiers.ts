import { Buffer } from 'node:buffer';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

/** PostgreSQL truncates a longer name without an error. */
const NAME_BYTES = 63;

export interface TableName {
  /** Null when the text has no schema, which means `public`. */
  schema: string | null;
  name: string;
}

const PART = /"(?:[^"\0]|"")+"|[A-Za-z_\u0080-\u{10FFFF}][\w$\u0080-\u{10FFFF}]*/u;
const TABLE = new RegExp(`^(?:(${PART.source})\\.)?(${PART.source})$`, 'u');

/**
 * Reads the name of a table as SQL does: unquoted parts fold to lower case, quoted ones stay, `""` is a quote. No other
 * text reaches a statement.
 *
 * @throws `table_name_invalid`
 */
export function parseTableName(text: string): TableName {
  const match = TABLE.exec(text);
  const name = match?.[2];
  if (name === undefined) throw invalid(text, 'write it as in SQL: table, schema.table, or public."ApiKey"');
  const schema = match?.[1] === undefined ? null : readPart(match[1]);
  const parts = { schema, name: readPart(name) };
  for (const part of [parts.schema, parts.name]) {
    const fault = part === null ? undefined : faultOfName(part);
    if (fault !== undefined) throw invalid(text, fault);
  }
  return parts;
}

/** Why a name cannot be a PostgreSQL identifier, or undefined. */
export function faultOfName(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name.includes('\0')) return 'must not hold a NUL character';
  // Encoding replaces a lone surrogate by U+FFFD, so the server would see another name.
  if (/\p{Surrogate}/u.test(name)) return 'must be well-formed Unicode';
  if (Buffer.byteLength(name) > NAME_BYTES) return `must not be longer than ${String(NAME_BYTES)} bytes`;
  return undefined;
}

/** A name quoted for a statement. */
export function quoteIdentifier(name: string): string {
  const fault = faultOfName(name);
  if (fault !== undefined) throw new RangeError(`identifier ${JSON.stringify(name)} ${fault}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`; a missing schema is `public`. */
export function quoteTable({ schema, name }: TableName): string {
  return `${quoteIdentifier(schema ?? 'public')}.${quoteIdentifier(name)}`;
}

/** True if both names refer to the same table. */
export function isSameTable(a: TableName, b: TableName): boolean {
  return (a.schema ?? 'public') === (b.schema ?? 'public') && a.name === b.name;
}

function readPart(part: string): string {
  if (part.startsWith('"')) return part.slice(1, -1).replaceAll('""', '"');
  // PostgreSQL folds ASCII letters only; toLowerCase would also change É.
  return part.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function invalid(text: string, reason: string): KeyliftError {
  return keyliftError('table_name_invalid', {
    message: `${JSON.stringify(text.slice(0, 200))} is not a valid table name: ${reason}`,
  });
}
