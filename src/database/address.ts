import pg from 'pg';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

/** Where a database is, without anything secret in it. */
export interface Where {
  host: string;
  port: number;
  database: string;
  user: string;
}

const SCHEME = /^(postgres|postgresql|socket):\/\//i;

/**
 * Reads a database URL as pg will read it, without connecting.
 * Throws `database_url_invalid`, whose text never repeats the URL: a password may be anywhere in it.
 */
export function readAddress(url: string): Where {
  if (!SCHEME.test(url)) throw invalid('it does not start with postgres:// or postgresql://');
  if (url.includes('\0')) throw invalid('it holds a NUL character');
  refuseAmbiguity(url);
  const client = parse(url);
  const where = {
    host: client.host,
    port: client.port,
    user: client.user ?? '',
    database: client.database ?? client.user ?? '',
  };
  if (!Number.isInteger(where.port) || where.port < 1 || where.port > 65535)
    throw invalid('its port is not 1 to 65535');
  if (where.user === '') throw invalid('it names no user');
  return where;
}

/**
 * A password with an unencoded `/`, `?` or `#` moves its own tail into the path, where it would be shown as a
 * database name; such a URL is refused instead of read wrongly.
 */
function refuseAmbiguity(url: string): void {
  const rest = url.replace(SCHEME, '');
  if (rest.includes('#')) throw invalid('it holds a # that is not encoded');
  const authority = /^[^/?]*/.exec(rest)?.[0] ?? '';
  const [path = '', query = ''] = rest.slice(authority.length).split('?', 2);
  const strayInQuery = query.includes('@') && !/(^|&)user=/.test(query);
  if (path.includes('@') || (strayInQuery && !authority.includes('@'))) {
    throw invalid('it holds an @ behind the host: a / or ? in the password is not encoded');
  }
}

function parse(url: string): pg.Client {
  try {
    return new pg.Client({ connectionString: url });
  } catch (error) {
    // No cause: the parser's error carries the whole URL.
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' || code === 'EACCES') throw invalid('a certificate file it names cannot be read');
    throw invalid('it cannot be parsed');
  }
}

function invalid(reason: string): KeyliftError {
  return keyliftError('database_url_invalid', { message: `the database URL is not usable: ${reason}` });
}
