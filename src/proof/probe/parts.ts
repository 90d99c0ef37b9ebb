import type { Fault } from '../../config/structure.js';
import type { Desk, PlannedRequest } from './plan.js';

/** `Name: ${VARIABLE}`, or `Name: Scheme ${VARIABLE}`: nothing that could be a token itself has a place in it. */
const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+): ?(?:([A-Za-z][A-Za-z-]{0,19}) )?\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/;
const FORMS =
  '`X-Inferuser-Token: ${NAME}`, `Authorization: Token ${NAME}` or `Authorization: ${NAME}`, NAME an environment variable';
/** What Node.js, like every server, takes as a header's value. */
const CARRIED = /^[\t\x20-\x7e\x80-\xff]+$/;
/** Headers that a request sets by itself. */
const OWN = new Set(['host', 'content-length', 'content-type', 'transfer-encoding', 'connection']);

/** The header a client sends its key in, the token taken from the environment. A literal one in the file is refused. */
export function readHeader(
  text: string,
  path: Fault['path'],
  { env, fault }: Desk,
): Pick<PlannedRequest, 'header' | 'token'> {
  const [, name = '', scheme, variable = ''] = HEADER.exec(text) ?? [];
  const token = env[variable] ?? '';
  if (name === '') fault(path, `must be one of ${FORMS}; a token in the file is refused`);
  else if (OWN.has(name.toLowerCase())) fault(path, `${name} is no header that carries a key`);
  else if (token === '') fault(path, `the environment variable ${variable} is not set`);
  else if (!CARRIED.test(token) || token.trim() !== token)
    fault(path, `the environment variable ${variable} holds what a header cannot carry`);
  return { header: { name, value: scheme === undefined ? token : `${scheme} ${token}` }, token };
}

/** The gateway's address. What stands before a host is a password, and is not repeated. */
export function readBaseUrl(text: string, { fault }: Desk): URL {
  const refuse = (reason: string): URL => {
    fault(['baseUrl'], reason);
    return new URL('http://invalid.invalid');
  };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return refuse('must be an address such as https://api.example.com');
  if (url.username !== '' || url.password !== '') return refuse('must not hold a user or a password');
  if (url.search !== '' || url.hash !== '') return refuse('must not hold a query or a fragment');
  return url;
}

/** A path as it goes over the wire; other characters would be sent otherwise than they stand here. */
export function readPath(text: string, path: Fault['path'], { fault }: Desk): string {
  if (!/^\/[\x21-\x7e]*$/.test(text) || text.includes('#'))
    fault(path, 'must be percent-encoded, without spaces and without a fragment');
  return text;
}
