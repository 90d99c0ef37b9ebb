/**
 * Text that others have written (names, slugs, ids, server messages), made safe for the medium it goes to: one function
 * for each medium. A character that a terminal obeys, that ends a line or that reorders one is shown as its JSON
 * escape. `forTerminal` and `forTerminalLines` may be applied twice with the same result.
 */

/**
 * Controls, line separators, bidirectional marks, halves of surrogate pairs, and code points that are no characters.
 */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\p{Noncharacter_Code_Point}]/gu;

/** A character as JSON writes it, `\u001b`; one outside the basic plane is two such escapes. */
export const asEscapes = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

const shown = (text: string, kept = ''): string =>
  text.replace(UNSAFE, (mark) => (kept.includes(mark) ? mark : asEscapes(mark)));

/** One line of a terminal, a log or a text node: a line break in it is shown, too. */
export const forTerminal = (text: string): string => shown(text);

/** Lines that were laid out for a terminal: what is not a line break or a tab is shown. */
export const forTerminalLines = (text: string): string => shown(text, '\n\t');

/** A JSON document or, without `indent`, a line of one. The escapes are JSON's own, so the value stays the same. */
export const forJson = (value: unknown, indent?: number): string => shown(JSON.stringify(value, null, indent), '\n');

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const entities = (text: string): string => text.replace(/[&<>"']/g, (mark) => ENTITIES[mark]!);

/** Text of an HTML element or of a quoted attribute. */
export const forHtml = (text: string): string => entities(shown(text));

/** JSON inside a `<script>`: no value can end the element or begin a comment. */
export const forHtmlScript = (value: unknown): string => forJson(value).replace(/[<>&]/g, asEscapes);

/** Text of an XML element or of a quoted attribute. XML 1.0 cannot hold most controls, escaped or not. */
export const forXml = (text: string): string => entities(shown(text, '\n\t')).replaceAll('\t', '&#9;');

/** The value of an OpenMetrics label, or a help text. */
export const forOpenMetrics = (text: string): string =>
  shown(text, '\n').replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

/**
 * What a spreadsheet takes for the start of a formula, in half or full width, at the start of a field or behind a
 * separator: many countries split a CSV at semicolons. A negative number, as an id may be, computes nothing.
 */
const FORMULA = /(^|[,;])([\s"]*)(?=[=+@＝＋－＠﹦﹢﹣﹫]|-(?!\d+\s*(?:[,;]|$)))/g;

/**
 * A row of a CSV file with its line end. Controls are shown, and no field begins a formula, whatever it is split at.
 */
export const forCsv = (row: readonly (string | null)[]): string => `${row.map(csvField).join(',')}\n`;

/** An id as it was before `forCsv` wrote it: without the quote that keeps it from being a formula. */
export function idFromCsv(field: string): string {
  const id = field.slice(1);
  return field.startsWith("'") && id.replace(FORMULA, "$1$2'") === field ? id : field;
}

function csvField(value: string | null): string {
  const text = shown(value ?? '').replace(FORMULA, "$1$2'");
  return /[",;]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
