const MASK = '***';
const URL_FORM = /^[a-z]+:\/\//i;
const AUTHORITY = /^[a-z]+:\/\/([^/?#]*)@/i;
const SECRET_PARAMETERS = /^(password|sslpassword|passfile)$/i;
/** Shorter secrets are part of many words; masking them would make texts unreadable. */
const SHORTEST = 3;

/** A database URL without its password. A text that is not a URL is not shown at all. */
export function redactUrl(url: string): string {
  const parsed = URL_FORM.test(url) ? parse(url) : undefined;
  if (parsed === undefined) return '(unreadable database URL)';
  if (parsed.password !== '') parsed.password = MASK;
  for (const name of new Set(parsed.searchParams.keys())) {
    if (SECRET_PARAMETERS.test(name)) parsed.searchParams.set(name, MASK);
  }
  return parsed.href;
}

/** The parts of a database URL that must not be shown: every password, as written and decoded. */
export function secretsOfUrl(url: string): string[] {
  const written = /:(.*)$/s.exec(AUTHORITY.exec(url)?.[1] ?? '')?.[1];
  const secrets = [written, url];
  // An invalid URL may also have a password between a colon and an @.
  const parsed = parse(url);
  secrets.push(parsed?.password);
  for (const [name, value] of parsed?.searchParams ?? []) if (SECRET_PARAMETERS.test(name)) secrets.push(value);
  const decoded = secrets.map((secret) => decode(secret ?? ''));
  return [...new Set([...secrets, ...decoded])].filter((secret) => secret !== undefined && secret !== '') as string[];
}

/** A URL of http or https with its host alone: user, password, path and query may each hold a secret. */
export function maskWebUrl(url: string): string {
  const { origin, pathname, search, hash } = new URL(url);
  return pathname + search + hash === '/' ? origin : `${origin}/${MASK}`;
}

const LITERAL = /\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^'\\]|''|\\[\s\S])*'/g;

/** SQL without its literals: each of them may be a secret. A literal without an end is masked to the end. */
export const maskLiterals = (text: string): string =>
  text.replace(LITERAL, `'${MASK}'`).replace(/('\*{3}')|'[\s\S]*/g, (_, masked?: string) => masked ?? `'${MASK}'`);

/** The secrets of every URL in a command line, for any flag. */
export function secretsIn(words: readonly string[]): string[] {
  return words.flatMap((word) => {
    const url = /[a-z]+:\/\/.*@.*/is.exec(word)?.[0];
    // A web URL may hold a secret anywhere, so none is shown as a whole.
    const web = /https?:\/\/.*/is.exec(word)?.[0];
    return [...(url === undefined ? [] : secretsOfUrl(url)), ...(web === undefined ? [] : [web])];
  });
}

/** The text with every secret masked. Longer secrets come first, so that no part of one remains. */
export function redactText(text: string, secrets: readonly string[]): string {
  return [...secrets]
    .filter((secret) => secret.length >= SHORTEST)
    .sort((a, b) => b.length - a.length)
    .reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

/**
 * A copy of a value that is to be printed as JSON, with every secret masked. It masks before rendering, because a quote
 * inside a password looks different in JSON.
 */
export function redactValue(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return redactText(value, secrets);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, secrets));
  // An error's own fields may quote rows, as a server error's detail does. Its message is enough here.
  if (value instanceof Error) return redactText(value.message, secrets);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactValue(item, secrets)]));
}

function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
