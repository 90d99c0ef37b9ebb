import { forHtml, forHtmlScript } from '../../escaping.js';

/** Markup. Everything else is text, which the template escapes. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

/** Markup from a template. Values are escaped unless they are markup. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  new Html(strings.reduce((whole, text, at) => whole + rendered(parts[at - 1]) + text));

/** Several pieces of markup as one. */
export const join = (pieces: readonly Html[]): Html => new Html(pieces.map(({ text }) => text).join(''));

function rendered(part: Part): string {
  if (part instanceof Html) return part.text;
  if (part === null || part === undefined || part === false) return '';
  if (typeof part === 'object') return part.map(rendered).join('');
  return forHtml(String(part));
}

/** Any value as JSON inside a script element. */
export const json = (value: unknown): Html => new Html(forHtmlScript(value));
