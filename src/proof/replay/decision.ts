import type { LegacyTypes } from '../../mapping/inspect.js';

/** One recorded decision. Exactly one of `token` and `keyId` is there; both are the text of the stored value. */
export interface Decision {
  line: number;
  token: string | null;
  keyId: string | null;
  api: string;
  allowed: boolean;
}

/** What is wrong with a line. Nothing of the line is repeated: it may hold a token. */
export interface LineFault {
  line: number;
  reason: string;
}

export type Reading = { decision: Decision; fault?: undefined } | { decision?: undefined; fault: string };

/** Which texts an id and a token can be in this database: PostgreSQL's refusal would end the whole page. */
export type ValueTypes = Pick<LegacyTypes, 'id' | 'token' | 'tokenIsBytes'>;

const INTEGERS: Record<string, bigint> = { smallint: 2n ** 15n, integer: 2n ** 31n, bigint: 2n ** 63n };
const NUMERIC = /^-?\d{1,100}$/;
const UUID = /^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i;
const BYTES = /^\\x([0-9a-f]{2})*$/i;

/** Reads the text of one line; other fields than the four are a recorder's own and are left alone. */
export function readDecision(text: string, line: number, types: ValueTypes): Reading {
  const value = parse(text);
  if (value === undefined) return { fault: 'not JSON' };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { fault: 'not a JSON object' };
  const { token, key_id: keyId, api, allowed } = value as Record<string, unknown>;
  const faults = [
    ...(token !== undefined && keyId !== undefined ? ['token and key_id exclude each other'] : []),
    ...(token === undefined && keyId === undefined ? ['neither token nor key_id'] : []),
    ...(token === undefined ? [] : faultOfToken(token, types)),
    ...(keyId === undefined ? [] : faultOfKeyId(keyId, types)),
    ...faultOfApi(api),
    ...(typeof allowed === 'boolean'
      ? []
      : [allowed === undefined ? 'no allowed' : 'allowed is neither true nor false']),
  ];
  if (faults.length > 0) return { fault: faults.join(', ') };
  return {
    decision: {
      line,
      token: token === undefined ? null : (token as string),
      keyId: keyId === undefined ? null : String(keyId as string | number),
      api: api as string,
      allowed: allowed as boolean,
    },
  };
}

/** JSON.parse's own message quotes the text, which may hold a token. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function faultOfToken(token: unknown, { tokenIsBytes }: ValueTypes): string[] {
  if (typeof token !== 'string') return ['token is not text'];
  if (tokenIsBytes)
    return BYTES.test(token) ? [] : ['token is not \\x and hex digits, as PostgreSQL writes the bytes that are stored'];
  return storable(token) ? [] : ['token holds a character PostgreSQL cannot store'];
}

function faultOfKeyId(keyId: unknown, { id }: ValueTypes): string[] {
  if (typeof keyId === 'number') {
    return Number.isSafeInteger(keyId)
      ? faultOfKeyId(String(keyId), { id, token: '', tokenIsBytes: false })
      : ['key_id is a number that JSON does not keep whole: write it as text'];
  }
  if (typeof keyId !== 'string') return ['key_id is not text'];
  return isValueOf(id, keyId) ? [] : [`key_id is no ${id}`];
}

function faultOfApi(api: unknown): string[] {
  if (api === undefined) return ['no api'];
  if (typeof api !== 'string') return ['api is not text'];
  return storable(api) ? [] : ['api holds a character PostgreSQL cannot store'];
}

/** Can this text be an id of that type? Texts can be anything that PostgreSQL stores. */
export function isValueOf(type: string, text: string): boolean {
  const limit = INTEGERS[type];
  if (limit !== undefined) return /^-?\d{1,19}$/.test(text) && BigInt(text) >= -limit && BigInt(text) < limit;
  if (type === 'numeric') return NUMERIC.test(text);
  return type === 'uuid' ? UUID.test(text) : storable(text);
}

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();
