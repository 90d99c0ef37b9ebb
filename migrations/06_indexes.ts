import {
  buildIndex,
  carriedIndexes,
  dropIndex,
  settingsIndex,
  tokenIndex as tokenIndexOf,
} from '../src/mapping/indexes.js';
import { step } from './context.js';

/** Harden: one token, one account key. */
export const tokenIndex = step({
  name: '06_token_index',
  transaction: false,
  up: (schema) => buildIndex(tokenIndexOf(schema)),
  down: (schema) => [dropIndex(tokenIndexOf(schema))],
});

/** Harden: Settings lists an account's keys by creation date. */
export const accountIndex = step({
  name: '07_settings_index',
  transaction: false,
  up: (schema) => buildIndex(settingsIndex(schema)),
  down: (schema) => [dropIndex(settingsIndex(schema))],
});

/** Harden: what was unique among carried values stays unique. */
export const carriedUniqueness = step({
  name: '13_carried_uniqueness',
  transaction: false,
  up: (schema) => carriedIndexes(schema).flatMap((index) => buildIndex(index)),
  down: (schema) => carriedIndexes(schema).map(dropIndex),
});
