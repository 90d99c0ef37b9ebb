import type { Column } from './catalog.js';

/** A name without case, `_` and `-`. */
export const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/** Makes `api_keys` equal to `ApiKey`, and `companies` to `company`. */
export const singular = (name: string): string =>
  plain(name)
    .replace(/ies$/, 'y')
    .replace(/([^s])s$/, '$1');

/** Patterns over plain names, the best first. */
export type Patterns = readonly RegExp[];

export const KEY_TABLES: Patterns = [
  /^apikey$|apikey$/,
  /^(api|access|personalaccess)(token|credential)$/,
  /^(access|client|service)key$/,
  /^(credential|clientcredential|apisecret)$/,
  /key$/,
  /token$/,
];

/** Tables of secrets that do not open APIs. */
export const OTHER_SECRETS =
  /session|refresh|reset|verif|csrf|oauth|invit|magic|device|webhook|signing|encryption|idempotency/;

export const TOKENS: Patterns = [
  /^(api)?(key|token)(hash|digest|sha\d*|hashed)$/,
  /^(hashed|digested|encrypted)(api)?(key|token|secret)$/,
  /^(api|access)?token$/,
  /^apikey$/,
  /^(digest|hash|sha256)$/,
  /^(api|client|key)?secret(key)?(hash|digest)?$/,
  /^(key|value|password(hash)?)$/,
  /(token|key)(hash|digest)$/,
];

export const NAMES: Patterns = [
  /^(key)?(name|label|title)$/,
  /^(displayname|friendlyname|nickname)$/,
  /^(description|note|comment)$/,
];

export const DATES: Record<'createdAt' | 'lastUsedAt' | 'revokedAt' | 'expiresAt', Patterns> = {
  createdAt: [
    /^created(at|on|time|date|ts)?$/,
    /^(creationdate|creationtime|datecreated|createdate|createtime)$/,
    /^(inserted|added|issued)(at|on|date)?$/,
  ],
  lastUsedAt: [
    /^last(used|seen|accessed|access|use|activity|request|call)(at|on|time|date)?$/,
    /^(used|seen|accessed)(at|on)?$/,
  ],
  revokedAt: [
    /^(revoked|revocation)(at|on|time|date)?$/,
    /^(disabled|deactivated|cancelled|canceled|blocked)(at|on|date)?$/,
    /^(deleted|archived|removed)(at|on|date)?$/,
  ],
  expiresAt: [
    /^(expires|expiry|expiration|expired|expire)(at|on|time|date|ts)?$/,
    /^valid(until|to|thru|through)$/,
    /^(notafter|ttluntil)$/,
  ],
};

/** Flags of dead keys, and flags of living keys. */
export const DEAD_FLAGS: Patterns = [/^(is)?(revoked|disabled|deleted|blocked|inactive|archived)$/];
export const LIVE_FLAGS: Patterns = [/^(is)?(active|enabled|valid|live)$/];
export const CHANGED: Patterns = [
  /^(updated|modified|changed)(at|on|time|date)?$/,
  /^(lastmodified|lastupdated)(at|on)?$/,
];

const ACCOUNT = 'account|organi[sz]ation|org|tenant|workspace|team|company|customer|merchant|owner|user|member';
const API = 'api|product|service|endpoint|route|resource|application|app|module';
const REFERENCE = '(id|no|number|uuid|key|ref|code)?';
const inTurn = (words: string, make: (word: string) => string): Patterns =>
  words.split('|').map((word) => new RegExp(make(word)));

export const RELATIONS: Record<'accounts' | 'apis', { tables: Patterns; columns: Patterns }> = {
  accounts: {
    tables: inTurn(ACCOUNT, (word) => `^(app|crm)?${word}$`),
    columns: inTurn(ACCOUNT, (word) => `^${word}${REFERENCE}$`),
  },
  apis: { tables: inTurn(API, (word) => `^(store)?${word}$`), columns: inTurn(API, (word) => `^${word}${REFERENCE}$`) },
};

/** Columns that name an owner. */
export const OWNERS = new RegExp(`^(${ACCOUNT})+${REFERENCE}$`);

/** Columns that name who changed a row, not who owns it. */
export const ACTORS = /(created|updated|revoked|deleted|modified|granted|approved|issued|last)\w*by/;

export const SLUGS: Patterns = [/^slug$/, /^(url)?path$/, /^(code|identifier|handle|key)$/, /^name$/];
export const ACCOUNT_NAMES: Patterns = [
  /^displayname$/,
  /^(full)?name$/,
  /^((company|organi[sz]ation|business|legal|trade)(name)?|title)$/,
  /^(login|username|handle|slug)$/,
  /^email$/,
];

export const STORE_FLAGS: Patterns = [/^(is)?(instore|listed|published|public|shared|global|official|store)$/];
export const CUSTOM_FLAGS: Patterns = [/^(is)?(custom|private|internal|hidden)$/];
export const STORE_KINDS: Patterns = [/^(kind|type|visibility|listing|availability|category|source|origin|scope)$/];
const STORE_WORDS =
  'store|public|shared|global|market(place)?|catalog(ue)?|standard|built.?in|official|off.?the.?shelf|published|listed';
export const STORE_VALUES = new RegExp(`^(in.?)?(${STORE_WORDS})$`, 'i');

/** Further columns of a key that Settings probably shows. */
export const CARRIED = new RegExp(
  'secret|hash|digest|prefix|suffix|hint|salt|last(four|4)|masked|encrypted|' +
    'scopes?$|permission|quota|ratelimit|allowedips|metadata',
);

/** Columns whose plain name matches, those of the best pattern first. */
export function matching(
  columns: readonly Column[],
  patterns: Patterns,
  accept: (column: Column) => boolean = () => true,
): Column[] {
  return patterns
    .flatMap((pattern) => columns.filter((column) => pattern.test(plain(column.name)) && accept(column)))
    .filter((column, at, all) => all.indexOf(column) === at);
}

/** The position of the first pattern that matches, or undefined. */
export function rank(word: string, patterns: Patterns): number | undefined {
  const at = patterns.findIndex((pattern) => pattern.test(word));
  return at === -1 ? undefined : at;
}
