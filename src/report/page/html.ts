import { forHtml, forHtmlScript } from '../../escaping.js';

/** Markup that is ready; anything else is text, and escaped when it is put in. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

/** Markup from a template: what is put in is escaped unless it is markup itself. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  new Html(strings.reduce((whole, text, at) => whole + rendered(parts[at - 1]) + text));

/** Pieces one after the other. */
export const join = (pieces: readonly Html[]): Html => new Html(pieces.map(({ text }) => text).join(''));

function rendered(part: Part): string {
  if (part instanceof Html) return part.text;
  if (part === null || part === undefined || part === false) return '';
  if (typeof part === 'object') return part.map(rendered).join('');
  return forHtml(String(part));
}

/** JSON that a script element can hold, whatever is in it. */
export const json = (value: unknown): Html => new Html(forHtmlScript(value));
