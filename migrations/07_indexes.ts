import { buildIndexes, dropIndexes, othersWrite } from '../src/mapping/indexes.js';
import { indexStep } from './context.js';

/** Harden: all indexes of the new table. */
export const indexes = indexStep({
  name: '07_indexes',
  concurrentlyWhere: othersWrite,
  up: buildIndexes,
  down: dropIndexes,
});
