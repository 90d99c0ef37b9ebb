import { buildIndex, dropIndex } from '../src/mapping/indexes.js';
import { legacyTokenIndexes, tokenIndexLookup } from '../src/mapping/legacy-token-index.js';
import { step } from './context.js';

/**
 * Expand: the mirror looks up duplicates by token at every change. A platform whose gateway looks keys up by token has
 * that index; where it is missing, keylift builds its own, and a rollback drops it.
 */
export const legacyTokenIndex = step({
  name: '04_legacy_token_index',
  transaction: false,
  up: (schema) =>
    legacyTokenIndexes(schema).flatMap((index) =>
      buildIndex(index, { query: tokenIndexLookup(schema), runs: 'where it finds none' }),
    ),
  down: (schema) => legacyTokenIndexes(schema).map(dropIndex),
});
