import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { analyze, copyStatement } from './copy-statements.js';
import { lookUpKey } from './latency/timer.js';
import { listDuplicates, listKeysWithoutAccount } from './listed-statements.js';
import {
  CLAIM_RANGES,
  cutRanges,
  FINISH_BATCH,
  JOIN_RANGES,
  NOTE_FAILURE,
  RETRY_FAILED,
  splitRange,
  trimRange,
} from './range-statements.js';

/** What the backfill runs, in order. */
export const backfillStatements = (schema: MappedSchema): Statement[] => [...preparing(schema), ...copying(schema)];

function preparing(schema: MappedSchema): Statement[] {
  return [
    { title: 'cut the keys into ranges', text: cutRanges(schema.legacy) },
    { title: 'list the duplicates (once)', text: listDuplicates(schema) },
    { title: 'list the keys without an account (once)', text: listKeysWithoutAccount(schema) },
    { title: 'open the ranges again that failed in an earlier run', text: RETRY_FAILED },
  ];
}

function copying(schema: MappedSchema): Statement[] {
  const { legacy: l, types } = schema;
  return [
    { title: 'claim the next ranges', text: CLAIM_RANGES },
    { title: 'leave a part of a range for another batch, with a small --batch-size', text: trimRange(l) },
    copyStatement(l, types.id),
    { title: 'join the lines of ranges that were copied together', text: JOIN_RANGES },
    { title: "write the batch's line of the ledger", text: FINISH_BATCH },
    { title: 'note a failed try of a range', text: NOTE_FAILURE },
    { title: 'split a range that took too long', text: splitRange(l) },
    { title: 'statistics of the new table, after the first batch', text: analyze(l) },
    { title: 'look one key up, once in 100 ms with --max-latency', text: lookUpKey(schema) },
  ];
}
