import type { LegacyTypes } from './inspect.js';

/** SQL: how a key is shown instead of its token, the first 12 hex digits of SHA-256 of the stored token. */
export const fingerprintOf = (token: string, types: Pick<LegacyTypes, 'tokenIsBytes'>): string =>
  `left(encode(sha256(${types.tokenIsBytes ? token : `convert_to(${token}::text, 'UTF8')`}), 'hex'), 12)`;
